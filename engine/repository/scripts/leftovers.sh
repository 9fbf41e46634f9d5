# leftovers.sh WORKSPACE RECORD: writes to RECORD what is in the work tree and not in HEAD, as entries of
# `git ls-files --stage -z` (mode, id, path), and hides the untracked ones from the agent's `git add` and `git status`.
workspace=$1 record=$2
cd "$workspace" || exit 1
head=$(theirs rev-parse --quiet --verify 'HEAD^{commit}') || fail "$workspace has no commit"
own_git_directory "$head"
git read-tree "$head" || exit 1
entries >"$own/before" || unreadable
git ls-files --others --exclude-standard --directory --no-empty-directory -z >"$own/hidden" || unreadable
mapfile -d '' -t hidden <"$own/hidden"
index_tracked
untracked "" | git update-index --add --info-only -z --stdin || unreadable
finished
mkdir -p "${record%/*}" && entries | comm -z -13 "$own/before" - >"$own/record" && mv "$own/record" "$record" || exit 1

marker='# Left by the setup of this environment.'
exclude=$(theirs rev-parse --git-path info/exclude) && mkdir -p "${exclude%/*}" || exit 1
{
    [ -f "$exclude" ] && while IFS= read -r line && [ "$line" != "$marker" ]; do printf '%s\n' "$line"; done <"$exclude"
    printf '%s\n' "$marker"
    for path in ${hidden[@]+"${hidden[@]}"}; do
        [[ $path == *$'\n'* ]] && continue
        for special in '\' '*' '?' '[' ' '; do path=${path//"$special"/"\\$special"}; done
        printf '/%s\n' "$path"
    done
} >"$own/exclude" && cat "$own/exclude" >"$exclude"
