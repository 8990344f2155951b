# Sourced by check, demo and bench: build the extension and install it into a private copy of the server.
# shellcheck shell=bash disable=SC2034

PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/$PG_MAJOR/bin/pg_config}

# Build in the clone.
build() {
    local jobs
    [[ -x $PG_CONFIG ]] || fail "$PG_CONFIG is missing"
    jobs=$(nproc)
    step "building against $("$PG_CONFIG" --version)"
    make --no-print-directory -s -C "$CLONE" -j "$jobs" PG_CONFIG="$PG_CONFIG" WERROR="${WERROR:-}"
}

# Copy the server's bin, lib and share to WORK/tree, each at its own path, and install the extension there with
# DESTDIR. A server finds its folders relative to its binary, so nothing is written to the system's. Sets BINDIR,
# PKGLIBDIR, SHAREDIR, PGXS_DIR of the copy.
make_server_tree() {
    local tree=$WORK/tree bin lib share
    bin=$("$PG_CONFIG" --bindir)
    lib=$("$PG_CONFIG" --pkglibdir)
    share=$("$PG_CONFIG" --sharedir)
    mkdir "$tree"
    tar -C / -cf - --exclude="${lib#/}/bitcode" --exclude="${share#/}/man" "${bin#/}" "${lib#/}" "${share#/}" |
        tar -C "$tree" -xf -

    BINDIR=$tree$bin
    PKGLIBDIR=$tree$lib
    SHAREDIR=$tree$share
    PGXS_DIR=$PKGLIBDIR/pgxs
    expect_same "$("$BINDIR/pg_config" --pkglibdir)" "$PKGLIBDIR"
    expect_same "$("$BINDIR/pg_config" --sharedir)" "$SHAREDIR"
    expect_same "$(readlink -f "$SHAREDIR/extension")" "$(readlink -f "$WORK")/tree$share/extension"

    quietly make --no-print-directory -C "$CLONE" PG_CONFIG="$PG_CONFIG" DESTDIR="$tree" \
        WERROR="${WERROR:-}" install
}

# Make an older version in the private copy, and the way from it to this one, to test that way: its script has the function
# copy_incremental alone, and the upgrade script all the rest. Sets THROWAWAY_VERSION.
make_throwaway_version() {
    local folder=$SHAREDIR/extension newest
    THROWAWAY_VERSION=0.0.0throwaway
    newest=$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" "$CLONE/$EXTENSION.control")
    perl -0777 -e '
        my ($script, $old, $upgrade) = @ARGV;
        open(my $in, "<", $script) or die "$script: $!\n";
        my $text = <$in>;
        $text =~ s/^\\echo.*?\n//m or die "no guard line\n";
        $text =~ s/^(CREATE FUNCTION copy_incremental\(.*?FROM PUBLIC;\n)//ms or die "no function copy_incremental\n";
        for ([$old, $1], [$upgrade, $text])
        {
            open(my $out, ">", $_->[0]) or die "$_->[0]: $!\n";
            print $out $_->[1];
            close $out or die $!;
        }' "$folder/$EXTENSION--$newest.sql" "$folder/$EXTENSION--$THROWAWAY_VERSION.sql" \
        "$folder/$EXTENSION--$THROWAWAY_VERSION--$newest.sql"
}

expect_same() {
    [[ $1 == "$2" ]] || fail "the private copy of the server is not used: $1 instead of $2"
}

# From now on, initdb of the private copy runs once for each set of options, and what it made is copied. Tests make more
# than a hundred clusters. The folder is named by -D FOLDER or --pgdata FOLDER, among other options.
copy_initdb() {
    local made=$WORK/run/initdb
    as_server_user mkdir "$made"
    mv "$BINDIR/initdb" "$BINDIR/initdb.bin"
    cat >"$BINDIR/initdb" <<END
#!/bin/bash
set -e
options=()
while ((\$#)); do
    case \$1 in
    -V | --sync-only) exec "$BINDIR/initdb.bin" "\$@" ;; # of pg_upgrade
    -D | --pgdata) data=\$2 && shift ;;
    *) options+=("\$1") ;;
    esac
    shift
done
made=$made/\$(md5sum <<<"\${options[*]}" | cut -d ' ' -f 1)
exec 9>"\$made.lock"
flock 9
[[ -e \$made.complete ]] || "$BINDIR/initdb.bin" -D "\$made" "\${options[@]}"
touch "\$made.complete"
mkdir -m 700 "\$data"
cp -a "\$made/." "\$data"
END
    chmod 755 "$BINDIR/initdb"
}
