"""The Python job that copy_incremental replaces: a named cursor, fetchmany, execute_values, a commit for each batch.

Run as: python_job SOURCE DESTINATION TABLE BATCH (two connection strings). Kinder than most such jobs: a batch is one
INSERT, where execute_values by itself makes one of every 100 rows."""

import sys

import psycopg2
import psycopg2.extensions
import psycopg2.extras


def copy(source, destination, table, batch):
    # jsonb arrives as a dictionary, which psycopg2 cannot send back without this.
    psycopg2.extensions.register_adapter(dict, psycopg2.extras.Json)
    with psycopg2.connect(source) as reader, psycopg2.connect(destination) as writer:
        with reader.cursor("rows_of_the_day") as rows, writer.cursor() as target:
            rows.execute(f"SELECT * FROM {table}")
            while batch_rows := rows.fetchmany(batch):
                psycopg2.extras.execute_values(target, f"INSERT INTO {table} VALUES %s", batch_rows,
                                               page_size=len(batch_rows))
                writer.commit()


if __name__ == "__main__":
    copy(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
