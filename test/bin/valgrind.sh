# Sourced by check: the stock server under valgrind.
# shellcheck shell=bash

# run_under_valgrind FOLDER: from now on the private copy's server runs under valgrind, sessions and all; what it finds
# is written to files in FOLDER, a process each. initdb and whoever asks for the version get the server as it is. The
# stock server tells valgrind nothing of its memory contexts, so it is C++ memory, libpq's and buffers that are watched.
run_under_valgrind() {
    as_server_user mkdir "$1"
    mv "$BINDIR/postgres" "$BINDIR/postgres.bin"
    cat >"$BINDIR/postgres" <<END
#!/bin/bash
case " \$* " in
*" --boot "* | *" --check "* | *" -V "* | *" --version "* | *" -F "*) exec "$BINDIR/postgres.bin" "\$@" ;;
*) exec valgrind --quiet --trace-children=yes --leak-check=no --gen-suppressions=all --num-callers=25 \\
    --suppressions="$WORK/src/test/bin/valgrind.supp" --log-file="$1/report.%p" "$BINDIR/postgres.bin" "\$@" ;;
esac
END
    chmod 755 "$BINDIR/postgres"
}
