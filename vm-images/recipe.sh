# SPDX-License-Identifier: Apache-2.0
# What the recipes of this project share; sourced by POSIX sh scripts that run under `set -eu`.
#
# A recipe's result lives in $VGPU_CACHE/KIND/KEY/, where KEY is a hash over everything that determines it.
# It is made under a temporary name and renamed under a lock, so a directory that exists is complete, and two
# recipes started at once build it once.

# A recipe that is given --find only looks: status 1 when its result is not there.
find_only=no
[ "${1:-}" != --find ] || find_only=yes

die() { echo "${0##*/}: $*" >&2; exit 1; }

vgpu_cache() { echo "${VGPU_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/vgpu-stub}"; }

# recipe_key DIR FILE... : the hash over the names and contents of DIR's FILEs and over the text on stdin.
recipe_key() (
    cd "$1"; shift
    { cat; sha256sum "$@"; } | sha256sum | cut -d' ' -f1
)

# cached KIND KEY BUILD: prints the result's directory, after running `BUILD TMPDIR` if it is not there yet.
# BUILD's output goes to the log that is kept beside the result; its end is shown when BUILD fails.
cached() {
    base=$(vgpu_cache)/$1
    result=$base/$2
    if [ ! -d "$result" ]; then
        [ $find_only = no ] || exit 1
        mkdir -p "$base"
        exec 9> "$base/.lock"
        flock 9
        if [ ! -d "$result" ]; then
            rm -rf "$base"/.tmp.* # a killed build's: the lock is ours now
            tmp=$(mktemp -d "$base/.tmp.XXXXXX")
            trap 'exit 130' INT TERM HUP
            trap 'status=$?; [ $status = 0 ] || tail -n 40 "$tmp/build.log" >&2; rm -rf "$tmp"; exit $status' EXIT
            # Not inside a condition, where `set -e` would be off for the whole of BUILD.
            ("$3" "$tmp") > "$tmp/build.log" 2>&1
            trap - EXIT INT TERM HUP
            chmod 755 "$tmp"
            mv -T "$tmp" "$result"
        fi
        exec 9>&-
    fi
    echo "$result"
}

# debian_sources TYPE SUITE: one-line apt sources (TYPE deb or deb-src) for Debian's SUITE with its updates and
# security fixes, from wherever this system gets its own packages.
debian_sources() {
    host=$(. /etc/os-release && echo "$VERSION_CODENAME")
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e "$keyring" ] || die "no $keyring (package debian-archive-keyring)"
    apt-get indextargets --format '$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)' |
        awk -v type="$1" -v suite="$2" -v host="$host" -v keyring="$keyring" '
            $1 == "Packages" && $4 == "main" && ($3 == host || $3 == host "-updates" || $3 == host "-security") {
                release = suite substr($3, length(host) + 1)
                line = type " [signed-by=" keyring "] " $2 " " release " main"
                if (!seen[line]++) print line
            }' | grep . || die "no Debian main archive in this system's apt sources"
}
