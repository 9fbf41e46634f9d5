# Put before clone.sh, leftovers.sh and collect.sh: git runs here with a configuration, a git directory and an index of
# our own. What the image, the repository or the agent configured (hooks, filters, fsmonitor, attributes, excludes,
# replace refs) has no say.
set -u -o pipefail
umask 022
image_home=${HOME:-/root}
# shellcheck disable=SC2086
unset ${!GIT_@}
own=$(mktemp -d "${TMPDIR:-/tmp}/fumehood.XXXXXXXX") || exit 1
trap 'rm -rf "$own"' EXIT
cat >"$own/.gitconfig" <<'END'
[safe]
	directory = *
[core]
	hooksPath = /dev/null
	attributesFile = /dev/null
	excludesFile = /dev/null
	compression = 1
	quotePath = false
[gc]
	auto = 0
[advice]
	detachedHead = false
[diff]
	ignoreSubmodules = dirty
END
export LC_ALL=C HOME=$own XDG_CONFIG_HOME=$own GIT_CONFIG_GLOBAL=$own/.gitconfig GIT_CONFIG_NOSYSTEM=1
export GIT_NO_REPLACE_OBJECTS=1 GIT_TERMINAL_PROMPT=0 GIT_LITERAL_PATHSPECS=1 GIT_LFS_SKIP_SMUDGE=1

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

# A git that refuses may be right, in a repository that is broken. One that was killed, for want of memory, has not said
# anything: that is remembered, wherever it was called from, and `finished` ends the script with it.
git() {
    local status=0
    command git "$@" || status=$?
    ((status <= 128 || status > 192)) || printf 'git was killed (exit code %s)\n' $status >>"$own/killed"
    return $status
}

finished() {
    [ ! -e "$own/killed" ] || fail "$(<"$own/killed")"
}

# git on the workspace's own git directory: only to ask where its objects and its HEAD are.
theirs() {
    (
        unset GIT_DIR GIT_INDEX_FILE
        git -c core.fsmonitor=false -c core.hooksPath=/dev/null --git-dir="$workspace/.git" --work-tree="$workspace" "$@"
    )
}

# Makes our own git directory, which borrows the workspace's objects; $1 is any sha of it. By hand: `git init` takes
# longer and would look at the machine to decide about modes and links.
own_git_directory() {
    local objects shallow version=0 format=sha1
    ((${#1} == 64)) && version=1 format=sha256
    mkdir -p "$own/.git/objects/info" "$own/.git/refs" || exit 1
    printf 'ref: refs/heads/none\n' >"$own/.git/HEAD"
    {
        printf '[core]\n\trepositoryFormatVersion = %s\n\tfileMode = true\n\tsymlinks = true\n' $version
        [ $format = sha1 ] || printf '[extensions]\n\tobjectFormat = %s\n' $format
    } >"$own/.git/config"
    # Where the repository's configuration is broken, git says nothing; the usual place is right then.
    objects=$(theirs rev-parse --git-path objects 2>/dev/null) || objects=$workspace/.git/objects
    [ ! -d "$objects" ] || printf '%s\n' "$objects" >"$own/.git/objects/info/alternates"
    shallow=$(theirs rev-parse --git-path shallow 2>/dev/null) || shallow=
    [ ! -f "$shallow" ] || cp "$shallow" "$own/.git/shallow" || exit 1
    export GIT_DIR=$own/.git GIT_WORK_TREE=$workspace GIT_INDEX_FILE=$own/index
}

entries() {
    git ls-files --stage -z | sort -z
}

unreadable() {
    fail "the files in $workspace cannot be read"
}

# Lists, from the current folder, the files that are neither tracked nor ignored, also those of repositories that were
# made inside the work tree: git would record such a repository as a mere link, and its files would be lost.
untracked() {
    local path
    git ls-files --others --exclude-standard -z | while IFS= read -r -d '' path; do
        if [ "${path: -1}" != / ]; then
            printf '%s%s\0' "$1" "$path"
        elif [ -d "$path" ]; then
            (
                cd "$path" || exit 0
                GIT_WORK_TREE=$PWD GIT_INDEX_FILE=$own/none untracked "$1$path"
            ) || return
        fi
    done
}

# Brings the files our index holds to what the work tree holds now.
index_tracked() {
    git add --update --ignore-errors && return
    [ $? = 1 ] || unreadable
    printf 'notice: some files could not be read\n' >&2
}
