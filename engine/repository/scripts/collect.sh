# collect.sh WORKSPACE BASE RECORD MESSAGE: the result as a bundle on stdout, without what BASE has.
# refs/heads/result is a commit with exactly what the work tree holds now, on top of the agent's own commits
# (refs/heads/agent) when they descend from BASE. RECORD is what leftovers.sh wrote. Exit code 40 and no output: nothing
# changed; 41: the agent's commit has paths that git does not check out.
workspace=$1 base=$2 record=$3 message=$4
nothing_changed=40
refused=41
cd "$workspace" || exit 1
own_git_directory "$base"

head=$(theirs rev-parse --quiet --verify 'HEAD^{commit}' 2>/dev/null) || head=
if [ -n "$head" ] && git merge-base --is-ancestor "$base" "$head" 2>/dev/null; then
    git read-tree "$head" || exit $refused
    parent=$head
elif git read-tree "$base" 2>/dev/null; then
    parent=$base
else
    parent=
    git read-tree --empty
    printf 'notice: the history in %s is gone; the result holds its files only\n' "$workspace" >&2
fi

# Puts the parent's entries of the paths given back into our index.
put_back() {
    local from
    {
        printf "0 ${base//?/0}\t%s\0" "$@"
        [ -z "$parent" ] || for ((from = 1; from <= $#; from += 500)); do
            git ls-tree -z --full-tree "$parent" -- "${@:from:500}" || exit
        done
    } | git update-index -z --index-info
}

# Of the entries on stdin those that setup left just so, unless the agent staged them: their paths.
left_by_setup() {
    sort -z | comm -z -12 - "$own/record" | cut -z -f2- | sort -z | comm -z -23 - "$own/staged"
}

# Untracked files are left out before they are added: there may be thousands, and adding writes each of them.
index_untracked() {
    untracked "" | sort -z >"$own/untracked" || return
    cut -z -f2- "$own/record" | sort -z | comm -z -12 - "$own/untracked" |
        GIT_INDEX_FILE=$own/candidates git update-index --add --info-only -z --stdin || return
    GIT_INDEX_FILE=$own/candidates git ls-files --stage -z | left_by_setup >"$own/left" || return
    comm -z -23 "$own/untracked" "$own/left" | git update-index --add -z --stdin
}

# Attributes (line ends, LFS) can make git see a change in a file that is byte for byte what the parent holds.
without_conversions() {
    local meta path mode new_mode id i paths=() ids=() raw=() same=()
    git diff-index --cached --raw --no-renames --no-abbrev --diff-filter=M -z "$parent" -- >"$own/modified" || return
    while IFS= read -r -d '' meta && IFS= read -r -d '' path; do
        read -r mode new_mode id _ <<<"${meta#:}"
        [[ $mode == "$new_mode" && $mode == 100* && $path != *$'\n'* && $path != '"'* ]] || continue
        paths+=("$path") ids+=("$id")
    done <"$own/modified"
    ((${#paths[@]} == 0)) && return
    # It ends at the first file it cannot read.
    printf '%s\n' "${paths[@]}" | git hash-object --no-filters --stdin-paths >"$own/raw" 2>/dev/null
    mapfile -t raw <"$own/raw"
    for i in "${!paths[@]}"; do [ "${raw[i]:-}" = "${ids[i]}" ] && same+=("${paths[i]}"); done
    ((${#same[@]} == 0)) || put_back "${same[@]}"
}

# What the agent staged although it is ignored was meant.
theirs ls-files --cached --ignored --exclude-standard -z >"$own/theirs" 2>/dev/null || : >"$own/theirs"
if [ -f "$record" ]; then sort -z "$record"; fi >"$own/record" || unreadable
sort -z "$own/theirs" >"$own/staged" && entries >"$own/before" || unreadable
index_tracked
entries | comm -z -23 - "$own/before" | left_by_setup >"$own/left" || unreadable
mapfile -d '' -t paths <"$own/left"
((${#paths[@]} == 0)) || put_back "${paths[@]}" || unreadable
index_untracked || unreadable
git update-index --add --remove -z --stdin <"$own/staged" || unreadable
[ -z "$parent" ] || without_conversions || unreadable

tree=$(git write-tree) || exit 1
finished
export GIT_AUTHOR_NAME=agent GIT_AUTHOR_EMAIL=agent@fumehood.invalid
export GIT_COMMITTER_NAME=agent GIT_COMMITTER_EMAIL=agent@fumehood.invalid
before=
[ -z "$parent" ] || before=$(git rev-parse "$parent^{tree}") || exit 1
if [ "$tree" = "$before" ]; then
    [ "$parent" = "$base" ] && exit $nothing_changed
    result=$parent
else
    result=$(printf '%s\n' "$message" | git commit-tree ${parent:+-p "$parent"} "$tree") || exit 1
fi
refs=(refs/heads/result)
git update-ref refs/heads/result "$result" || exit 1
if [ -n "$parent" ] && [ "$parent" != "$base" ]; then
    git update-ref refs/heads/agent "$parent" || exit 1
    refs+=(refs/heads/agent)
fi
git bundle create - "${refs[@]}" ${parent:+"^$base"}
