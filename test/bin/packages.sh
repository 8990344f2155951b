# Sourced by check, demo and bench: the Debian packages they need, installed when missing.
# shellcheck shell=bash disable=SC2034

PG_MAJOR=${PG_MAJOR:-15}
BUILD_PACKAGES=("postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR" libpq-dev g++ make)

# Run as root: directly, or through sudo.
as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo "$@"
    fi
}

package_is_installed() {
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Install those of the named packages that are missing. They are here for throwaway servers, so no cluster is
# created and no service is started on their account.
need_packages() {
    local package missing=()
    command -v dpkg-query >/dev/null || fail "this needs Debian's dpkg and apt-get; elsewhere use make install and make installcheck"
    for package in "$@"; do
        package_is_installed "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0

    if ((EUID != 0)) && ! command -v sudo >/dev/null; then
        fail "packages are missing; run as root: apt-get install ${missing[*]}"
    fi
    step "installing ${missing[*]}"
    hold_services
    local status=0
    quietly update_package_lists &&
        quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
            install --no-install-recommends "${missing[@]}" || status=$?
    release_services
    ((status == 0)) || fail "apt-get could not install: ${missing[*]}"
    for package in "${missing[@]}"; do
        if [[ $package == @(pgbouncer|prometheus|prometheus-sql-exporter) ]]; then
            { as_root update-rc.d "$package" disable || as_root systemctl disable "$package"; } >/dev/null 2>&1 || true
        fi
    done
}

# apt-get waits for the lock of dpkg, but not for that of the lists, which a new machine's own update may have.
update_package_lists() {
    local output end=$((SECONDS + 300))
    until output=$(as_root env LC_ALL=C apt-get -q update 2>&1); do
        echo "$output"
        [[ $output == *'Unable to lock directory'* ]] && ((SECONDS < end)) || return 1
        sleep 2
    done
}

CLUSTER_CONF=/etc/postgresql-common/createcluster.d/pg_copy_incremental_no_cluster.conf
POLICY=/usr/sbin/policy-rc.d
POLICY_IS_OURS=false

# While packages are installed: postgresql-common creates no "main" cluster, maintainer scripts start nothing.
# An administrator's own policy-rc.d stays.
hold_services() {
    trap release_services EXIT
    as_root mkdir -p "${CLUSTER_CONF%/*}"
    echo 'create_main_cluster = false' | as_root tee "$CLUSTER_CONF" >/dev/null
    if [[ ! -e $POLICY ]]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
        as_root chmod 755 "$POLICY"
        POLICY_IS_OURS=true
    fi
}

# Undo hold_services.
release_services() {
    as_root rm -f "$CLUSTER_CONF"
    if $POLICY_IS_OURS; then
        as_root rm -f "$POLICY"
        POLICY_IS_OURS=false
    fi
    trap - EXIT
}
