# Sourced by check: a PostgreSQL with assertions and sanitizers, from Debian's source package, kept in a cache folder.
# shellcheck shell=bash disable=SC2034

SANITIZER_FLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all'
# With RELEASE_CACHES=1 relations and catalogue entries vanish as soon as nobody holds them, so that a stale pointer is
# seen. A short call takes seconds then.
SANITIZER_DEFINES=${RELEASE_CACHES:+-DRELCACHE_FORCE_RELEASE -DCATCACHE_FORCE_RELEASE}

# Print the folder of the server with sanitizers; its file "complete" is made last.
sanitized_folder() {
    local version
    version=$(dpkg-query -W -f='${Version}' "postgresql-$PG_MAJOR")
    echo "${PGCI_CACHE:-/var/tmp/pg_copy_incremental-$EUID}/postgresql-$version-sanitizers${RELEASE_CACHES:+-released}"
}

# Programs do not free what ends with their process. Frames of a server stay on its stack, whose depth it measures.
set_sanitizer_options() {
    export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1:disable_coredump=1
    export UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1
}

# Set PG_CONFIG to a server built with sanitizers, of the installed package's version where the archive has its source,
# else of the release's; build it if the cache has none. The cache is PGCI_CACHE, by default a folder of this user's in
# /var/tmp. It takes ten minutes of two processors.
make_sanitized_server() {
    local version folder
    version=$(dpkg-query -W -f='${Version}' "postgresql-$PG_MAJOR")
    folder=$(sanitized_folder)
    PG_CONFIG=$folder/server/bin/pg_config
    set_sanitizer_options
    [[ ! -e $folder/complete ]] || return 0
    need_packages dpkg-dev bison flex zlib1g-dev libreadline-dev libicu-dev libssl-dev libxml2-dev liblz4-dev libzstd-dev
    step "building PostgreSQL with sanitizers in $folder"
    rm -rf "$folder"
    mkdir -p "$folder"
    if ! (cd "$folder" && fetch_source "$version" && build_sanitized_server) >"$folder.log" 2>&1; then
        tail -n 40 "$folder.log" >&2
        fail "PostgreSQL could not be built; all of the output: $folder.log"
    fi
    touch "$folder/complete"
}

# Unpack the source package of this version, or of the release's first, into ./source. The lists of packages are of our
# own: the system's may name no sources.
fetch_source() {
    local codename source="postgresql-$PG_MAJOR" key=/usr/share/keyrings/debian-archive-keyring.gpg
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mkdir -p apt/lists/partial apt/cache/archives/partial apt/empty
    printf "deb-src [signed-by=$key] http://deb.debian.org/%s main\n" \
        "debian $codename" "debian-security $codename-security" >apt/sources.list
    local options=(-q -o "Dir::Etc::SourceList=$PWD/apt/sources.list" -o "Dir::Etc::SourceParts=$PWD/apt/empty"
        -o "Dir::State::Lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt/cache" -o "APT::Sandbox::User=$(id -un)")
    apt-get "${options[@]}" update &&
        { apt-get "${options[@]}" source --download-only --only-source "$source=$1" ||
            apt-get "${options[@]}" source --download-only --only-source "$source/$codename"; } &&
        dpkg-source --no-check -x ./*.dsc source &&
        rm -r apt
}

# Build ./source and install it as ./server. Without NLS, which a sanitizer's start trips over.
build_sanitized_server() {
    local prefix=$PWD/server jobs
    jobs=$(nproc)
    cd source &&
        ./configure --prefix="$prefix" --enable-cassert --enable-debug --enable-tap-tests --with-openssl --with-icu \
            --with-libxml --with-lz4 --with-zstd --with-system-tzdata=/usr/share/zoneinfo \
            CFLAGS="$SANITIZER_FLAGS" CXXFLAGS="$SANITIZER_FLAGS" CPPFLAGS="$SANITIZER_DEFINES" &&
        make -s -j "$jobs" world-bin &&
        make -s install-world-bin &&
        chmod -R a+rX ..
}

# report_to FOLDER: from now on, what a sanitizer finds in any program is written to a file there.
report_to() {
    as_server_user mkdir "$1"
    export ASAN_OPTIONS=$ASAN_OPTIONS:log_path=$1/report UBSAN_OPTIONS=$UBSAN_OPTIONS:log_path=$1/report
}
