"""The tables that are copied: columns, constraints, and the SELECT that makes their rows; nothing in them is random."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """A table. `rows_query` makes row g of generate_series; both servers get `columns` and `constraint`."""
    title: str
    default_rows: int
    columns: str
    rows_query: str
    constraint: str = ""

    def definition(self, table):
        """CREATE TABLE, the same on both servers."""
        return f"CREATE TABLE {table} ({self.columns}{', ' + self.constraint if self.constraint else ''})"

    def fill(self, table, rows):
        """INSERT of that many rows, at the source."""
        return f"INSERT INTO {table} SELECT {self.rows_query} FROM generate_series(1, {rows}) AS g"


NARROW_COLUMNS = """id bigint, user_id integer, created_at timestamptz, name text, email text, status text,
    amount double precision, is_active boolean"""
NARROW_ROWS = """g, g % 50021, timestamptz '2018-07-01 00:00:00+00' + g * interval '1.37 seconds',
    'user ' || left(md5(g::text), 11), left(md5((g + 7)::text), 16) || '@example.com',
    (ARRAY['new', 'paid', 'shipped', 'returned'])[1 + g % 4], (g % 99991) / 7.0, g % 3 = 0"""

WIDE_COLUMNS = """id bigint, external_id uuid, account_id integer, created_at timestamptz, updated_at timestamptz,
    local_time timestamp, birth_date date, opens_at time, duration interval, price numeric(12,2), tax numeric(6,4),
    total numeric, weight double precision, score real, quantity smallint, is_active boolean, is_deleted boolean,
    name text, email text, city varchar(40), country char(2), address inet, payload jsonb, settings jsonb, tags text[],
    numbers integer[], token bytea, description text, note text, digest text, session_id uuid"""
WIDE_ROWS = """g, md5(g::text)::uuid, g % 50021, timestamptz '2018-07-01 00:00:00+00' + g * interval '1.37 seconds',
    timestamptz '2018-07-02 00:00:00+00' + g * interval '1.11 seconds',
    timestamp '2018-07-01' + g * interval '1 minute', date '1950-01-01' + (g % 20000)::int,
    time '08:00' + (g % 600) * interval '1 minute',
    (g % 5) * interval '1 day' + (g % 4000) * interval '1 second', (g % 99991) / 100.0, (g % 997) / 10000.0,
    (g % 99991)::numeric * 1.196, (g % 9973) / 7.0, ((g % 997) / 8.0)::real, (g % 100)::smallint, g % 3 = 0,
    CASE WHEN g % 2 = 0 THEN g % 5 = 0 END, 'user ' || left(md5(g::text), 11),
    left(md5((g + 7)::text), 16) || '@example.com', 'city of ' || g % 1000, (ARRAY['de', 'fr', 'us', 'jp'])[1 + g % 4],
    inet '10.0.0.0' + g % 65536,
    jsonb_build_object('id', g, 'kind', (ARRAY['click', 'view', 'order'])[1 + g % 3], 'path', '/shop/' || g % 1000,
                       'items', jsonb_build_array(g % 7, g % 11, g % 13),
                       'agent', 'browser ' || md5(g::text)),
    jsonb_build_object('theme', (ARRAY['light', 'dark'])[1 + g % 2], 'size', g % 40, 'beta', g % 2 = 0),
    ARRAY['tag' || g % 10, 'group' || g % 100, left(md5(g::text), 16)], ARRAY[g % 3, g % 5, g % 7, g % 11]::integer[],
    decode(md5(g::text), 'hex'), repeat(md5((g % 1000)::text) || ' ', 5), CASE WHEN g % 2 = 0 THEN md5(g::text) END,
    md5(g::text) || md5((g + 1)::text), md5((g + 3)::text)::uuid"""

SHAPES = {
    "narrow": Shape("8 columns", 1_000_000, NARROW_COLUMNS, NARROW_ROWS),
    "wide": Shape("31 mixed columns", 200_000, WIDE_COLUMNS, WIDE_ROWS),
    "narrow_pk": Shape("8 columns, primary key", 1_000_000, NARROW_COLUMNS, NARROW_ROWS, "PRIMARY KEY (id)"),
    "events": Shape("4 columns", 2_000_000, "id bigint, at timestamptz, user_id integer, kind text",
                    "g, timestamptz '2018-07-01 00:00:00+00' + g * interval '0.7 seconds', g % 50021, "
                    "(ARRAY['clicked', 'scrolled', 'viewed', 'purchased'])[1 + g % 4]"),
}
