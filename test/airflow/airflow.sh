# shellcheck shell=bash
# An Airflow of PyPI: sourced, not run. VERSION says which one, as 3 or 2.10, and LOG where its commands write.

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

# Install the newest Airflow of VERSION into a virtual environment in CACHE unless it is there.
install_airflow() {
    VENV=$CACHE/airflow-$VERSION
    if [[ ! -e $VENV/complete ]]; then
        step "installing Airflow $VERSION"
        rm -rf "$VENV"
        mkdir -p "$CACHE"
        "$(find_python)" -m venv "$VENV"
        quietly "$VENV/bin/pip" install "apache-airflow==$VERSION.*" apache-airflow-providers-postgres \
            apache-airflow-providers-openlineage
        "$VENV/bin/pip" freeze | grep '^apache-airflow==' >"$VENV/complete"
    fi
    step "$(cat "$VENV/complete"), $("$VENV/bin/python" --version)"
    # From a copy, because a build writes into its folder.
    rm -rf "$WORK/package"
    cp -r "$CLONE/airflow" "$WORK/package"
    quietly "$VENV/bin/pip" install --no-deps --force-reinstall "$WORK/package"
}

# Airflow starts itself by its name. A command that fails says so; the checks show what it has not done.
airflow() {
    PATH=$VENV/bin:$PATH "$VENV/bin/airflow" "$@" >>"$LOG" 2>&1 && return
    echo "        airflow $* failed: $(tail -n 1 "$LOG")" >&2
    return 1
}

# Airflow's own database, in a server of its own. With SQLite, commands and tasks fail at random: "database is locked".
start_airflow_server() {
    start_cluster airflow
    AIRFLOW_PORT=$CLUSTER_PORT
    in_airflow postgres "CREATE ROLE airflow LOGIN PASSWORD 'secret-of-airflow'"
}

create_airflow_database() {
    in_airflow postgres "CREATE DATABASE \"airflow-$VERSION\" OWNER airflow"
    export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://airflow:secret-of-airflow@127.0.0.1:$AIRFLOW_PORT/airflow-$VERSION"
    airflow db migrate || fail "airflow db migrate: $(tail -n 5 "$LOG")"
}

# in_airflow DATABASE QUERY [NAME=VALUE...]: the values are :'NAME' in the query.
in_airflow() {
    local database=$1 query=$2
    shift 2
    "$BINDIR/psql" -X -q -At -v ON_ERROR_STOP=1 -h "$WORK/run" -p "$AIRFLOW_PORT" -U postgres "${@/#/-v}" "$database" <<<"$query"
}

# The newest XCom of a task, as JSON. A third argument is its key.
xcom() {
    local value=value::text
    ((MAJOR > 2)) || value="convert_from(value, 'UTF8')"
    in_airflow "airflow-$VERSION" "SELECT $value FROM xcom WHERE dag_id = :'dag' AND task_id = :'task' AND key = :'key'
        ORDER BY timestamp DESC LIMIT 1" "dag=$1" "task=$2" "key=${3:-return_value}"
}

# The state of the try of a task that changed last.
state_of() {
    in_airflow "airflow-$VERSION" "SELECT coalesce(state, 'none') FROM task_instance WHERE dag_id = :'dag' AND task_id = :'task'
        ORDER BY updated_at DESC LIMIT 1" "dag=$1" "task=$2"
}

# The number of tasks of a DAG in a state.
tasks_in() {
    in_airflow "airflow-$VERSION" "SELECT count(*) FROM task_instance WHERE dag_id = :'dag' AND state = :'state'" "dag=$1" "state=$2"
}

has_dag() { in_airflow "airflow-$VERSION" "SELECT count(DISTINCT dag_id) FROM serialized_dag WHERE dag_id = :'dag'" "dag=$1"; }
