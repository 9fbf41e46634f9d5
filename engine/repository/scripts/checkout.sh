# checkout.sh WORKSPACE SHA BUNDLE: brings branch `work` to SHA; BUNDLE ("" for none) brings what the snapshot lacks.
# Tracked files are as in SHA afterwards; what setup left untracked or ignored stays. The image's git configuration
# counts (no agent has run yet), hooks do not run.
workspace=$1 sha=$2 bundle=$3
export LC_ALL=C GIT_TERMINAL_PROMPT=0 GIT_LFS_SKIP_SMUDGE=1 GIT_NO_REPLACE_OBJECTS=1

at() {
    git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c advice.detachedHead=false \
        -c fetch.fsckObjects=false -c transfer.fsckObjects=false \
        --git-dir="$workspace/.git" --work-tree="$workspace" "$@"
}

cd "$workspace" || exit 1
rm -f .git/index.lock .git/HEAD.lock
if [ -n "$bundle" ]; then
    at fetch --quiet --no-tags --no-auto-gc --no-recurse-submodules "$bundle" "+refs/heads/base:refs/fumehood/base" || exit 1
    rm -f "$bundle"
elif ! at cat-file -e "$sha^{commit}" 2>/dev/null; then
    printf 'the container does not have commit %s\n' "$sha" >&2
    exit 1
fi
at checkout --quiet --force --no-track -B work "$sha" -- && at update-ref refs/fumehood/base "$sha"
