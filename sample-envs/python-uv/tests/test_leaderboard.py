from leaderboard import Leaderboard


def board(**scores: int) -> Leaderboard:
    made = Leaderboard()
    for player, points in scores.items():
        made.add(player, points)
    return made


def test_the_best_score_comes_first() -> None:
    made = board(ada=3, bob=7)
    assert (made.rank("bob"), made.rank("ada")) == (1, 2)


def test_points_add_up() -> None:
    made = board(ada=3, bob=7)
    made.add("ada", 5)
    assert made.rank("ada") == 1


def test_the_same_score_shares_the_better_place() -> None:
    made = board(ada=7, bob=7, cyd=1)
    assert [made.rank(player) for player in ("ada", "bob", "cyd")] == [1, 1, 3]
