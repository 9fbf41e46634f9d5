from releases import newest


def test_previews_count_only_when_asked_for() -> None:
    assert newest(["1.0", "2.0rc1"]) == "1.0"
    assert newest(["1.0", "2.0rc1"], previews=True) == "2.0rc1"


def test_what_is_no_version_never_counts() -> None:
    assert newest(["latest", "0.1"]) == "0.1"
    assert newest(["latest"]) is None


def test_ten_is_newer_than_nine() -> None:
    assert newest(["1.9", "1.10"]) == "1.10"
