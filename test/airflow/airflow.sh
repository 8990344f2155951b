# shellcheck shell=bash
# An Airflow of PyPI: sourced, not run. MAJOR says which one, LOG where its commands write.

# A Python that both versions run on.
find_python() {
    local python
    for python in ${PYTHON:-} python3.12 python3.11 python3.10 python3; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    fail "no Python 3.10 to 3.12 with venv was found; say PYTHON=..."
}

# Install Airflow MAJOR into a virtual environment in CACHE unless it is there.
install_airflow() {
    VENV=$CACHE/airflow-$MAJOR
    if [[ ! -e $VENV/complete ]]; then
        step "installing Airflow $MAJOR"
        rm -rf "$VENV"
        mkdir -p "$CACHE"
        "$(find_python)" -m venv "$VENV"
        quietly "$VENV/bin/pip" install "apache-airflow>=$MAJOR,<$((MAJOR + 1))" apache-airflow-providers-postgres \
            apache-airflow-providers-openlineage
        "$VENV/bin/pip" freeze | grep '^apache-airflow==' >"$VENV/complete"
    fi
    step "$(cat "$VENV/complete"), $("$VENV/bin/python" --version)"
    # From a copy, because a build writes into its folder.
    rm -rf "$WORK/package"
    cp -r "$CLONE/airflow" "$WORK/package"
    quietly "$VENV/bin/pip" install --no-deps --force-reinstall "$WORK/package"
}

# Airflow starts itself by its name.
airflow() { PATH=$VENV/bin:$PATH "$VENV/bin/airflow" "$@" >>"$LOG" 2>&1; }

# first_of QUERY PARAMETER...: the first column of its first row in Airflow's database, or none.
first_of() {
    "$VENV/bin/python" - "$AIRFLOW_HOME/airflow.db" "$@" <<'PYTHON'
import sqlite3, sys
database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=30)
row = database.execute(sys.argv[2], sys.argv[3:]).fetchone()
print(row[0] if row else "none")
PYTHON
}

# The newest XCom of a task, as JSON. A third argument is its key.
xcom() {
    first_of "SELECT CAST(value AS TEXT) FROM xcom WHERE dag_id = ? AND task_id = ? AND key = ?
              ORDER BY timestamp DESC LIMIT 1" "$1" "$2" "${3:-return_value}"
}

# The state of the try of a task that changed last.
state_of() { first_of "SELECT state FROM task_instance WHERE dag_id = ? AND task_id = ? ORDER BY updated_at DESC LIMIT 1" "$@"; }

# The number of tasks of a DAG in a state.
tasks_in() { first_of "SELECT count(*) FROM task_instance WHERE dag_id = ? AND state = ?" "$@"; }

has_dag() { first_of "SELECT count(*) FROM serialized_dag WHERE dag_id = ?" "$@"; }
