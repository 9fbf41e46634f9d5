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
            git ls-tree -z --full-tree "$parent" -- "${@:from:500}"
        done
    } | git update-index -z --index-info
}

# Of the entries on stdin those that setup left just so, unless the agent staged them: their paths.
left_by_setup() {
    sort -z | comm -z -12 - "$own/record" | cut -z -f2- | sort -z | comm -z -23 - "$own/staged"
}

# Untracked files are left out before they are added: there may be thousands, and adding writes each of them.
index_untracked() {
    untracked "" | sort -z >"$own/untracked"
    cut -z -f2- "$own/record" | sort -z | comm -z -12 - "$own/untracked" |
        GIT_INDEX_FILE=$own/candidates git update-index --add --info-only -z --stdin || return
    GIT_INDEX_FILE=$own/candidates git ls-files --stage -z | left_by_setup >"$own/left" || return
    comm -z -23 "$own/untracked" "$own/left" | git update-index --add -z --stdin
}

# Attributes (line ends, LFS) can make git see a change in a file that is byte for byte what the parent holds.
without_conversions() {
    local meta path mode new_mode id i paths=() ids=() raw=() same=()
    while IFS= read -r -d '' meta && IFS= read -r -d '' path; do
        read -r mode new_mode id _ <<<"${meta#:}"
        [[ $mode == "$new_mode" && $mode == 100* && $path != *$'\n'* && $path != '"'* ]] || continue
        paths+=("$path") ids+=("$id")
    done < <(git diff-index --cached --raw --no-renames --no-abbrev --diff-filter=M -z "$parent" --)
    ((${#paths[@]} == 0)) && return
    mapfile -t raw < <(printf '%s\n' "${paths[@]}" | git hash-object --no-filters --stdin-paths 2>/dev/null)
    for i in "${!paths[@]}"; do [ "${raw[i]:-}" = "${ids[i]}" ] && same+=("${paths[i]}"); done
    ((${#same[@]} == 0)) || put_back "${same[@]}"
}

# What the agent staged although it is ignored was meant.
theirs ls-files --cached --ignored --exclude-standard -z 2>/dev/null | sort -z >"$own/staged"
if [ -f "$record" ]; then sort -z "$record"; fi >"$own/record"
entries >"$own/before"
index_tracked
mapfile -d '' -t paths < <(entries | comm -z -23 - "$own/before" | left_by_setup)
((${#paths[@]} == 0)) || put_back "${paths[@]}"
index_untracked || fail "the files in $workspace cannot be read"
git update-index --add --remove -z --stdin <"$own/staged"
[ -z "$parent" ] || without_conversions

tree=$(git write-tree) || exit 1
export GIT_AUTHOR_NAME=agent GIT_AUTHOR_EMAIL=agent@fumehood.invalid
export GIT_COMMITTER_NAME=agent GIT_COMMITTER_EMAIL=agent@fumehood.invalid
if [ -n "$parent" ] && [ "$tree" = "$(git rev-parse "$parent^{tree}")" ]; then
    [ "$parent" = "$base" ] && exit $nothing_changed
    result=$parent
else
    result=$(printf '%s\n' "$message" | git commit-tree ${parent:+-p "$parent"} "$tree") || exit 1
fi
refs=(refs/heads/result)
git update-ref refs/heads/result "$result" || exit 1
if [ -n "$parent" ] && [ "$parent" != "$base" ]; then
    git update-ref refs/heads/agent "$parent" && refs+=(refs/heads/agent)
fi
git bundle create - "${refs[@]}" ${parent:+"^$base"}
