# Sourced by what tests on other releases of Debian: each is a folder made by mmdebstrap, kept in CACHE, and commands
# run in it with their own /tmp, /proc and /dev/shm, but with this machine's network, so that servers of different
# releases reach each other on 127.0.0.1.
# shellcheck shell=bash disable=SC2034

CACHE=${CACHE:-/var/cache/pg_copy_incremental}

# Where copies of other servers stand in a release.
SERVER_COPIES=/srv/servers

# Make TEMPORARY, removed at exit.
make_temporary_folder() {
    TEMPORARY=$(mktemp -d /tmp/pgci.XXXXXX)
    trap 'rm -rf --one-file-system "$TEMPORARY"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    chmod 755 "$TEMPORARY"
}

# Wait until no other check uses CACHE, and keep the others from it until this process ends.
lock_cache() {
    mkdir -p "$CACHE"
    exec {CACHE_LOCK}>"$CACHE/lock"
    flock --nonblock "$CACHE_LOCK" && return
    echo "waiting for another check that uses $CACHE"
    flock "$CACHE_LOCK"
}

# release_of PG_MAJOR: the release of Debian that has this version of PostgreSQL.
release_of() {
    case $1 in
    13) echo bullseye ;;
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo forky ;;
    *) fail "no release of Debian has PostgreSQL $1; known are 13, 15, 17 and 18" ;;
    esac
}

# The archive of Debian that this machine's apt uses.
archive() {
    # shellcheck disable=SC2016  # the names are apt-get's
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        sed -n 's/^Debian Debian //p' | head -n 1
}

# make_release PG_MAJOR: make the folder of the release with this version unless it is there. 13 is for servers only;
# the others have what make check and make check-packages need.
make_release() {
    local major=$1 release packages folder
    release=$(release_of "$major")
    folder=$CACHE/$release
    packages=postgresql-$major
    if ((major >= 15)); then
        packages+=,postgresql-server-dev-$major,libpq-dev,build-essential,libipc-run-perl,pgbouncer,ccache
        packages+=,postgresql-$major-cron,debhelper,postgresql-server-dev-all,dpkg-dev,zip,unzip
        packages+=,lintian,autopkgtest
    fi
    [[ $(cat "$folder/packages" 2>/dev/null) != "$packages" ]] || return 0
    echo "making $folder: Debian $release with PostgreSQL $major"
    rm -rf --one-file-system "$folder" "$folder.new"
    mkdir -p "$CACHE"
    # A release that is not out yet may have a Release file past its date. No package may make a cluster.
    # shellcheck disable=SC2016  # $1 is the hook's
    quietly mmdebstrap --variant=minbase --keyring=/usr/share/keyrings --aptopt='Acquire::Check-Valid-Until "false"' \
        --essential-hook='mkdir -p "$1/etc/postgresql-common/createcluster.d"' \
        --essential-hook='echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.d/none.conf"' \
        --include="$packages" "$release" "$folder.new" "$(archive)" || fail "$release could not be made"
    mkdir -p "$folder.new$SERVER_COPIES" "$folder.new/var/cache/ccache"
    echo "$packages" >"$folder.new/packages"
    mv "$folder.new" "$folder"
}

# in_release PG_MAJOR COMMAND...: run a command as root in the release, as in_debian does.
in_release() {
    local folder
    folder=$CACHE/$(release_of "$1")
    in_debian "$folder" "${@:2}"
}

# in_debian FOLDER COMMAND...: run a command as root in the Debian in the folder, with a copy of the clone in /tmp/clone.
# All that it started ends with it, and nothing of it stays in /tmp.
in_debian() {
    local folder=$1 tmp status=0
    tmp=$(mktemp -d "$TEMPORARY/tmp.XXXXXX")
    shift
    chmod 1777 "$tmp"
    mkdir -p "$tmp/clone" "$CACHE/servers" "$CACHE/ccache"
    tar -C "$CLONE" --exclude-vcs --exclude='*.o' --exclude='*.d' --exclude='*.so' --exclude=src/.flags \
        --exclude=./test-output -cf - . | tar -C "$tmp/clone" --no-same-owner -xf -
    # shellcheck disable=SC2016  # the parameters are the inner shell's
    env -i TERM=dumb LC_ALL=C DEBIAN_FRONTEND=noninteractive HOME=/root CCACHE_DIR=/var/cache/ccache CCACHE_NOHASHDIR=1 \
        PATH=/usr/lib/ccache:/usr/sbin:/usr/bin:/sbin:/bin \
        unshare --mount --pid --fork --kill-child bash -c '
            set -e
            folder=$1 tmp=$2 cache=$3 servers=$4
            shift 4
            mount -t proc proc "$folder/proc"
            mount -t tmpfs tmpfs "$folder/dev/shm"
            mount --bind "$tmp" "$folder/tmp"
            mount --bind "$cache/ccache" "$folder/var/cache/ccache"
            mount --bind "$cache/servers" "$folder$servers"
            exec chroot "$folder" "$@"' bash "$folder" "$tmp" "$CACHE" "$SERVER_COPIES" "$@" || status=$?
    if [[ -d $tmp/clone/test-output ]]; then
        rm -rf "$CLONE/test-output/${folder##*/}"
        mkdir -p "$CLONE/test-output"
        cp -r "$tmp/clone/test-output" "$CLONE/test-output/${folder##*/}"
    fi
    rm -rf --one-file-system "$tmp"
    return "$status"
}

# make_server_copy PG_MAJOR: a copy of that version's server with the libraries of its release, which runs in any other
# release as SERVER_COPIES/PG_MAJOR/usr/lib/postgresql/PG_MAJOR/bin/postgres.
make_server_copy() {
    local major=$1 folder copy=$CACHE/servers/$1 inside=$SERVER_COPIES/$1/lib program loader
    folder=$CACHE/$(release_of "$major")
    [[ ! -e $copy/complete ]] || return 0
    rm -rf --one-file-system "$copy"
    mkdir -p "$copy/lib"
    tar -C "$folder" --exclude=bitcode --exclude=man -cf - "usr/lib/postgresql/$major" "usr/share/postgresql/$major" |
        tar -C "$copy" -xf -
    # The release's own tools follow its links, of which some are absolute.
    # shellcheck disable=SC2016  # the parameter is the inner shell's
    chroot "$folder" sh -c '
        {
            find "/usr/lib/postgresql/$1" -type f \( -path "*/bin/*" -o -name "*.so" \) -exec ldd {} + 2>/dev/null |
                grep -oE "/[^ ]+\.so[^ ]*" | grep -v ":$"
            ls /lib/*/libnss_files.so.2
        } | sort -u |
            tar -chf - --transform "s,.*/,," -T -' sh "$major" 2>/dev/null | tar -C "$copy/lib" -xf -
    for program in "$copy/usr/lib/postgresql/$major"/bin/*; do
        loader=$(patchelf --print-interpreter "$program" 2>/dev/null) || continue # a script
        patchelf --set-interpreter "$inside/${loader##*/}" --force-rpath --set-rpath "$inside" "$program"
    done
    touch "$copy/complete"
}
