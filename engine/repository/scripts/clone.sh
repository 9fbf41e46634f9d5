# clone.sh MIRROR WORKSPACE SHA: the workspace of a setup container, from the mirror mounted read-only at MIRROR.
mirror=$1 workspace=$2 sha=$3

at() {
    git --git-dir="$workspace/.git" --work-tree="$workspace" "$@"
}

mkdir -p "${workspace%/*}" || exit 1
git clone --quiet --no-checkout --no-hardlinks -- "$mirror" "$workspace" || exit 1
at cat-file -e "$sha^{commit}" 2>/dev/null || at fetch --quiet --no-tags origin "$sha" || exit 1
at checkout --quiet --force --no-track -B work "$sha" -- || exit 1
at remote remove origin || exit 1
at for-each-ref --format='delete %(refname)' refs/heads refs/remotes | while IFS= read -r line; do
    [ "$line" = "delete refs/heads/work" ] || printf '%s\n' "$line"
done | at update-ref --stdin || exit 1
# A ref at the snapshot's commit: without one a later fetch has nothing to negotiate with and brings everything.
at update-ref refs/fumehood/snapshot "$sha" || exit 1

# Timestamps survive `docker commit`, inode and change time do not: comparing those would read every file again.
at config core.checkStat minimal && at config core.trustctime false && at config gc.auto 0 || exit 1
of_image() {
    (
        unset GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM XDG_CONFIG_HOME
        HOME=$image_home git config --get "$1"
    )
}
if ! of_image user.email >/dev/null; then
    at config user.name agent && at config user.email agent@fumehood.invalid || exit 1
fi
# Agents may run as another user than the one that owns the files.
known=$'\n'$(git config --system --get-all safe.directory 2>/dev/null)$'\n'
[[ $known == *$'\n'"$workspace"$'\n'* ]] || git config --system --add safe.directory "$workspace" 2>/dev/null ||
    printf 'notice: git in this image trusts %s only for the user that owns it\n' "$workspace"

finished
at cat-file -e "$sha:.gitmodules" 2>/dev/null && printf 'notice: submodules are not fetched; their folders are empty\n'
[[ $(at cat-file blob "$sha:.gitattributes" 2>/dev/null) == *filter=lfs* ]] &&
    printf 'notice: files kept in Git LFS are pointers, not contents\n'
exit 0
