"""The two throwaway servers that test/bench/bench has started: how to reach them, their tables, their reset."""

import os
import statistics
import time

import psycopg2

from .delay_proxy import start_proxy

READER, LOADER = "reader", "loader"
CHECKSUM = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {} AS t"


class Servers:
    """Both servers. `source` and `destination` are superuser connections through the Unix socket, in autocommit; what
    is measured connects by TCP as reader and loader, who own no more than they need. Raises psycopg2.Error."""

    def __init__(self, batch):
        environment = os.environ
        self.work, self.bindir = environment["BENCH_WORK"], environment["BENCH_BINDIR"]
        self.password = environment["BENCH_PASSWORD"]
        self.source_port = int(environment["BENCH_SOURCE_PORT"])
        self.destination_port = int(environment["BENCH_DESTINATION_PORT"])
        self.batch = batch
        self.ports = {0: self.source_port}  # to the source, by the round trip in ms
        self.proxies = []
        self.source = self._superuser(self.source_port)
        self.destination = self._superuser(self.destination_port)

    def _superuser(self, port):
        connection = psycopg2.connect(host=f"{self.work}/run", port=port, user="postgres", dbname="postgres")
        connection.autocommit = True
        return connection

    # ------------------------------------------------------------------ set-up

    def create_roles(self):
        """The reader at the source, the loader at the destination, the extensions, the foreign server `src`."""
        execute(self.source, f"CREATE ROLE {READER} LOGIN PASSWORD '{self.password}'",
                f"GRANT pg_write_server_files TO {READER}")
        execute(self.destination, f"CREATE ROLE {LOADER} LOGIN PASSWORD '{self.password}'",
                f"GRANT pg_read_server_files TO {LOADER}", "CREATE EXTENSION postgres_fdw", "CREATE EXTENSION dblink",
                "CREATE EXTENSION pg_copy_incremental", f"GRANT EXECUTE ON FUNCTION copy_incremental TO {LOADER}")
        self._create_foreign_server("src", 0, "disable")
        self._create_foreign_server("src_tls", 0, "require")

    def add_delay(self, delay):
        """A foreign server whose way to the source takes a round trip of `delay` ms, through a proxy of its own."""
        if delay not in self.ports:
            proxy, self.ports[delay] = start_proxy(self.source_port, delay)
            self.proxies.append(proxy)
            self._create_foreign_server(foreign_server(delay), delay, "disable")

    def _create_foreign_server(self, name, delay, sslmode):
        execute(self.destination,
                f"CREATE SERVER {name} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', "
                f"port '{self.ports[delay]}', dbname 'postgres', fetch_size '{self.batch}', sslmode '{sslmode}')",
                f"CREATE USER MAPPING FOR {LOADER} SERVER {name} OPTIONS (user '{READER}', password '{self.password}')",
                f"GRANT USAGE ON FOREIGN SERVER {name} TO {LOADER}", f"CREATE SCHEMA {name} AUTHORIZATION {LOADER}")

    def create_table(self, table, shape, fill):
        """The table on both servers, filled at the source by the statement `fill`; returns its count and checksum."""
        execute(self.source, shape.definition(table), fill, f"GRANT SELECT ON {table} TO {READER}",
                f"VACUUM (FREEZE, ANALYZE) {table}", "CHECKPOINT")
        execute(self.destination, shape.definition(table), f"ALTER TABLE {table} OWNER TO {LOADER}")
        return self.checksum(self.source, table)

    def create_foreign_tables(self, table):
        """The table of the source as a foreign table, in one schema for each foreign server."""
        for delay in self.ports:
            name = foreign_server(delay)
            execute(self.destination, f"SET ROLE {LOADER}",
                    f"IMPORT FOREIGN SCHEMA public LIMIT TO ({table}) FROM SERVER {name} INTO {name}", "RESET ROLE")

    def write_binary_file(self, table):
        """The table as a file in COPY's binary format, for the limit of the destination; returns its size in bytes."""
        execute(self.source, f"COPY {table} TO '{self.binary_file(table)}' (FORMAT binary)")
        return os.path.getsize(self.binary_file(table))

    def binary_file(self, table):
        return f"{self.work}/run/{table}.binary"

    # ------------------------------------------------------- around every run

    def reset(self, table):
        """Empty the table at the destination, forget its runs, and leave nothing for a checkpoint to do."""
        execute(self.destination, f"TRUNCATE {table}", f"SELECT copy_incremental_forget('{table}', NULL, NULL)",
                "CHECKPOINT")

    def wal_bytes(self):
        """How much WAL the destination has written since it was made."""
        return int(query(self.destination, "SELECT pg_current_wal_insert_lsn() - '0/0'")[0])

    def checksum(self, connection, relation):
        """Rows and an order-independent sum of a hash of each row's text."""
        return query(connection, CHECKSUM.format(relation))

    # ------------------------------------------------------------- who connects

    def reader(self, delay=0, sslmode="disable"):
        """Connection string to the source, as a client at the destination's place would use it."""
        return (f"host=127.0.0.1 port={self.ports[delay]} user={READER} dbname=postgres password={self.password} "
                f"sslmode={sslmode}")

    def loader(self):
        """Connection string to the destination."""
        return f"host=127.0.0.1 port={self.destination_port} user={LOADER} dbname=postgres password={self.password}"

    def psql(self, conninfo, *arguments):
        """psql's command line."""
        return [f"{self.bindir}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", conninfo, *arguments]

    def round_trip(self, delay):
        """Median of 5 round trips to the source, in milliseconds, as measured."""
        times = []
        connection = psycopg2.connect(self.reader(delay))
        for _ in range(6):
            start = time.perf_counter()
            query(connection, "SELECT 1")
            times.append((time.perf_counter() - start) * 1000)
        connection.close()
        return statistics.median(times[1:])

    def close(self):
        """End the proxies and both connections."""
        for proxy in self.proxies:
            proxy.communicate()
        self.source.close()
        self.destination.close()


def foreign_server(delay):
    """Name of the foreign server without TLS, and of the schema of its foreign tables, for a round trip of `delay` ms."""
    return "src" if delay == 0 else f"src_{delay:g}ms".replace(".", "_")


def execute(connection, *statements):
    """Run statements one by one."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def query(connection, statement):
    """The first row of a query, as a tuple."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


def column_definitions(connection, table):
    """Names and types of a table's columns, as dblink's column list wants them."""
    return query(connection, "SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' "
                             "ORDER BY attnum) FROM pg_attribute "
                             f"WHERE attrelid = '{table}'::regclass AND attnum > 0")[0]
