# The differential test: whatever the target is, every method leaves the same rows, the same trigger log and the same
# count as method cursor, or ends with the same error; and method cursor does as a plain INSERT ... SELECT of the rows.
# How many cases each method was compared in, and how many it has refused, is printed. A method that refuses says so by
# 0A000 and "not supported yet", or a hint that names method => 'cursor'; where the documentation says that two methods
# differ, the table of cases says so too, and the difference is tested.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my ($host, $port) = ($destination->host, $destination->port);

on_both(<<~'SQL', $source, $destination);
	CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
	CREATE DOMAIN positive AS int CHECK (VALUE > 0);
	CREATE DOMAIN small AS positive CHECK (VALUE < 100);
	CREATE DOMAIN required AS text NOT NULL;
	CREATE TYPE pair AS (a int, b text);
	SQL
$destination->safe_psql('postgres', <<~SQL);
	CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER loop;
	CREATE FUNCTION log_it() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
	  INSERT INTO log (what) VALUES (concat_ws(' ', TG_NAME, TG_WHEN, TG_LEVEL, TG_OP, TG_TABLE_NAME,
	    CASE WHEN TG_LEVEL = 'ROW' THEN concat(OLD::text, '>', NEW::text) END,
	    CASE WHEN TG_WHEN <> 'INSTEAD OF' AND (TG_WHEN = 'AFTER' OR TG_LEVEL = 'STATEMENT') THEN (SELECT count(*) FROM t) END));
	  RETURN coalesce(NEW, OLD);
	END \$\$;
	CREATE FUNCTION log_new() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
	  INSERT INTO log (what) SELECT TG_NAME || ' ' || coalesce(string_agg(n::text, ', ' ORDER BY n::text), '-') FROM new_rows AS n;
	  RETURN NULL;
	END \$\$;
	CREATE FUNCTION refuse_5() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
	  IF NEW.id = 5 THEN RAISE EXCEPTION 'five' USING ERRCODE = 'P0005'; END IF;
	  RETURN NEW;
	END \$\$;
	CREATE FUNCTION skip_odd() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
	  IF NEW.id % 2 = 1 THEN RETURN NULL; END IF;
	  NEW.v := NEW.v || '!';
	  RETURN NEW;
	END \$\$;
	-- The reference: one INSERT ... SELECT of what the query returns here.
	CREATE FUNCTION insert_rows(query text, target text) RETURNS bigint LANGUAGE plpgsql AS \$\$
	DECLARE n bigint;
	BEGIN
	  EXECUTE 'CREATE TEMP TABLE of_query ON COMMIT DROP AS SELECT * FROM (' || query || ') AS q WITH NO DATA';
	  EXECUTE 'INSERT INTO ' || target || ' (' || (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
	    FROM pg_attribute WHERE attrelid = 'pg_temp.of_query'::regclass AND attnum > 0) || ') ' || query;
	  GET DIAGNOSTICS n = ROW_COUNT;
	  RETURN n;
	END \$\$;
	SQL

# Seven rows in three batches: id, and v as text.
my $rows = q[SELECT i AS id, 'v' || i AS v FROM generate_series(1, 7) AS i];
my $table = 'CREATE TABLE t (id int, v text)';

# The values of a type, and NULL; each with an array of it.
sub of_type
{
	my ($type, @values) = @_;
	my $list = join ', ', map { "\$\$$_\$\$" } @values;
	return { plain => 1, modes => ['append'], ddl => "CREATE TABLE t (id int, v $type, a $type\[])",
		query => "SELECT i::int AS id, v::$type AS v, ARRAY[v::$type, NULL, v::$type] AS a"
		  . " FROM unnest(ARRAY[$list, NULL]::text[]) WITH ORDINALITY AS u (v, i) ORDER BY i" };
}

# A value of the source's type in a column of the target's.
sub cast
{
	my ($value, $type) = @_;
	return { plain => 1, modes => ['append'], ddl => "CREATE TABLE t (id int, v $type)",
		query => "SELECT i AS id, $value AS v FROM generate_series(1, 4) AS i" };
}

# A plain table, or what bulk is not for, with these rows.
sub plain { my ($ddl, $query, %more) = @_; return { plain => 1, ddl => $ddl, query => $query // $rows, %more }; }
sub other { my ($ddl, $query, %more) = @_; return { ddl => $ddl, query => $query // $rows, %more }; }

my $long = '9' x 200 . '.' . '7' x 300;
my @ranges = ('empty', '(,)');
# What an INSERT does otherwise.
my %unlike_insert = (differs => { insert => 'targets that cannot hold rows have an error of ours' });
my %writes_over = (differs => { insert => 'a value that the target makes itself is not an error' });


my @cases = (
	'type bigint' => of_type('bigint', -9223372036854775808, 0, 9223372036854775807),
	'type bit' => of_type('bit(3)', '101', '000'),
	'type bit varying' => of_type('varbit', '', '1', '0101010101'),
	'type boolean' => of_type('boolean', 'f', 't'),
	'type box' => of_type('box', '(1,2),(-3,4.5)'),
	'type bytea' => of_type('bytea', '', '\x00', '\x00ff5c27220a', '\x' . '00ff' x 3000),
	'type char(n)' => of_type('char(4)', '', 'x', 'é漢🐘', '    '),
	'type varchar(n)' => of_type('varchar(4)', '', 'x', 'é漢🐘', 'a   '),
	'type varchar' => of_type('varchar', '', 'é漢🐘', ' '),
	'type text' => of_type('text', '', ' ', 'NULL', '\\', '\\.', '\\N', "a\tb\nc\rd", 'é漢🐘', '{"a,b"}', 'x' x 10000),
	'type "char"' => of_type('"char"', '', 'a'),
	'type name' => of_type('name', '', 'x', 'x' x 63),
	'type cidr' => of_type('cidr', '10.1.0.0/16', '2001:db8::/32'),
	'type inet' => of_type('inet', '192.168.1.17/24', '::1'),
	'type macaddr' => of_type('macaddr', '08:00:2b:01:02:ff'),
	'type circle' => of_type('circle', '<(1,2),0>'),
	'type date' => of_type('date', '-infinity', '4714-11-24 BC', '0001-12-31 BC', '2000-01-01', '5874897-12-31', 'infinity'),
	'type timestamp' => of_type('timestamp', '-infinity', '4714-11-24 00:00:00 BC', '1999-12-31 23:59:59.999999',
		'294276-12-31 23:59:59.999999', 'infinity'),
	'type timestamptz' => of_type('timestamptz', '-infinity', '4714-11-24 00:00:00+00 BC', '2018-07-29 12:00:00.000001+02',
		'294276-12-31 23:59:59.999999+00', 'infinity'),
	'type timestamp(0)' => of_type('timestamp(0)', '2018-07-29 12:00:00', 'infinity'),
	'type time' => of_type('time', '00:00', '24:00:00', '12:34:56.789012'),
	'type timetz' => of_type('timetz', '00:00:00+15:59:59', '24:00:00-15:59'),
	'type interval' => of_type('interval', '0', '-178000000 years', '1 mon -1 day 00:00:00.000001'),
	'type double precision' => of_type('float8', '-Infinity', 'Infinity', 'NaN', '-0', 0.1, '5e-324', '1.7976931348623157e308'),
	'type real' => of_type('real', '-Infinity', 'Infinity', 'NaN', '-0', 0.1, '1e-45', '3.4028235e38'),
	'type smallint' => of_type('smallint', -32768, 0, 32767),
	'type integer' => of_type('int', -2147483648, 0, 2147483647),
	'type oid' => of_type('oid', 0, 4294967295),
	'type numeric' => of_type('numeric', '-Infinity', 'Infinity', 'NaN', '0', '0.000', '-0.0', '1e-1000', '1e4000', "-$long",
		'100', '1.1000', '0.' . '0' x 16382 . '1', '10000', '0.0001', '0.00010000', '12345678.87654321'),
	'type numeric(12,3)' => of_type('numeric(12,3)', 'NaN', '0', '-123456789.125', '0.001', '1e8'),
	'type numeric(5,-2)' => of_type('numeric(5,-2)', '1234500', '-100', '0'),
	'type json' => of_type('json', 'null', '{"a": 1,  "a": 2}', '[1e400, "é"]'),
	'type jsonb' => of_type('jsonb', 'null', '{}', '{"a": {"b": [1.10, null, true, "é"]}}'),
	'type jsonpath' => of_type('jsonpath', '$', 'strict $."a"[*] ? (@.b > 1.5)'),
	'type money' => of_type('money', '-92233720368547758.08', '1.23'),
	'type point' => of_type('point', '(0,-0)', '(NaN,Infinity)'),
	'type path' => of_type('path', '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))'),
	'type polygon' => of_type('polygon', '((0,0),(1,1),(2,0))'),
	'type int4range' => of_type('int4range', @ranges, '[1,3)'),
	'type numrange' => of_type('numrange', @ranges, '[1.10,Infinity]'),
	'type tstzrange' => of_type('tstzrange', @ranges, '[2018-07-28 00:00+00,2018-07-29 00:00+00)'),
	'type daterange' => of_type('daterange', @ranges, '[-infinity,4713-01-01 BC)'),
	'type int8multirange' => of_type('int8multirange', '{}', '{[1,3),[7,)}'),
	'type tsvector' => of_type('tsvector', '', q('a':1A,2B 'é')),
	'type tsquery' => of_type('tsquery', q('a' & !'b' | 'c':*)),
	'type uuid' => of_type('uuid', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-4fff-bfff-ffffffffffff'),
	'type xml' => of_type('xml', '<a>é</a>', 'text'),
	'type pg_lsn' => of_type('pg_lsn', 'FFFFFFFF/FFFFFFFF'),
	'type pg_snapshot' => of_type('pg_snapshot', '10:20:10,14,15'),
	'type regclass' => of_type('regclass', 'pg_class'),
	'type tid' => of_type('tid', '(4294967295,65535)'),
	'an enum' => of_type('mood', 'sad', 'happy'),
	'a domain' => { %{ of_type('small', 1, 99) }, refuses => { copy => 'an array of a domain is made by a cast of this server' } },
	'a composite' => of_type('pair', '(1,x)', '(,)', '(2,"a,""b")'),
	'arrays of arrays' => plain('CREATE TABLE t (id int, v int[], w text[])',
		q[SELECT 1 AS id, '[2:3][-1:0]={{1,2},{3,NULL}}'::int[] AS v, '{}'::text[] AS w]),

	'int4 to int8' => cast('i', 'bigint'),
	'int8 to int4' => cast('i::bigint', 'int'),
	'int8 to int4, too large' => cast('i * 1000000000::bigint', 'int'),
	'int4 to numeric' => cast('i', 'numeric(5,2)'),
	'int4 to float8' => cast('i', 'float8'),
	'int4 to text' => cast('i', 'text'),
	'int4 to boolean' => cast('i', 'boolean'),
	'int4 to a domain' => cast('i', 'small'),
	'int4 to a domain, refused' => cast('2 - i', 'small'),
	'numeric to int4' => cast('i + 0.5', 'int'),
	'numeric to int4, NaN' => cast(q['NaN'::numeric], 'int'),
	'numeric to numeric(10,2)' => cast('i / 3.0', 'numeric(10,2)'),
	'numeric to numeric(3,2), too large' => cast('i * 4.0', 'numeric(3,2)'),
	'numeric(10,4) to numeric(10,2)' => cast('(i / 3.0)::numeric(10,4)', 'numeric(10,2)'),
	'float8 to numeric(10,2)' => cast('i / 3::float8', 'numeric(10,2)'),
	'float8 to real' => cast('i / 3::float8', 'real'),
	'float8 to real, too large' => cast('1e300::float8', 'real'),
	'text to varchar(5)' => cast(q['é' || i], 'varchar(5)'),
	'text to varchar(5), too long' => cast(q['漢漢漢漢' || i * 3], 'varchar(5)'),
	'text to varchar(5), too long by spaces' => cast(q['v' || i || '       '], 'varchar(5)'),
	'varchar(9) to varchar(5), too long' => cast(q[('漢漢漢漢' || i * 3)::varchar(9)], 'varchar(5)'),
	'text to char(5)' => cast(q['é' || i], 'char(5)'),
	'char(3) to text' => cast('i::char(3)', 'text'),
	'char(3) to varchar(5)' => cast('i::char(3)', 'varchar(5)'),
	'char(3) to char(5)' => cast('i::char(3)', 'char(5)'),
	'text to name' => cast('i::text', 'name'),
	'name to text' => cast('i::name', 'text'),
	'text to int' => cast('i::text', 'int'),
	'text to jsonb' => cast(q['{}'::text], 'jsonb'),
	'json to jsonb' => cast(q['{"b": 1, "a": 2}'::json], 'jsonb'),
	'jsonb to json' => cast(q['{"b": 1, "a": 2}'::jsonb], 'json'),
	'timestamp to timestamptz' => cast(q[timestamp '2018-03-25 02:30' + i * interval '1 hour'], 'timestamptz'),
	'timestamptz to timestamp' => cast(q[timestamptz '2018-03-25 02:30+00' + i * interval '1 hour'], 'timestamp'),
	'timestamp to timestamp(0)' => cast(q[timestamp '2018-03-25 02:30:00.5' + i * interval '1 second'], 'timestamp(0)'),
	'timestamp to date' => cast(q[timestamp '2018-03-25 02:30' + i * interval '1 hour'], 'date'),
	'date to timestamp' => cast(q[date '2018-03-25' + i], 'timestamp'),
	'date to timestamptz' => cast(q[date '2018-03-25' + i], 'timestamptz'),
	'date infinity to timestamp' => cast(q[date 'infinity'], 'timestamp'),
	'date to timestamp, out of range' => cast(q[date '5874897-12-31'], 'timestamp'),
	'time to interval' => cast(q[time '12:00' + i * interval '1 hour'], 'interval'),
	'bit(4) to bit(8)' => cast('i::bit(4)', 'bit(8)'),
	'bit(4) to varbit' => cast('i::bit(4)', 'varbit'),
	'int4[] to int8[]' => cast('ARRAY[i, NULL]', 'bigint[]'),
	'a NULL of unknown type' => { %{ cast('NULL', 'int') }, differs => { insert => 'a query has no column of unknown type' } },

	'a table' => plain($table),
	'no rows' => plain($table, "$rows WHERE i < 0"),
	'one batch' => plain($table, "$rows WHERE i < 4"),
	'rows there before' => plain("$table; INSERT INTO t VALUES (100, 'old')"),
	'columns in another order' => plain('CREATE TABLE t (v text, x int, id int)'),
	'columns that are not sent' => plain('CREATE TABLE t (id int, v text, w int, x text[])'),
	'dropped columns' => plain('CREATE TABLE t (a int, id int, b text, v text, c int); INSERT INTO t VALUES (1, 2, $$x$$);
		ALTER TABLE t DROP a; ALTER TABLE t DROP b; ALTER TABLE t DROP c; ALTER TABLE t ADD d int DEFAULT 5'),
	'a column added with a default' => plain("$table; ALTER TABLE t ADD w int DEFAULT 42 NOT NULL"),
	'a column without a counterpart' => plain('CREATE TABLE t (id int)', undef, differs => { insert => 'the error is ours' }),
	'unlogged' => plain('CREATE UNLOGGED TABLE t (id int, v text)'),
	'temporary' => plain('CREATE TEMP TABLE t (id int, v text)', undef, target => 'pg_temp.t', after => 'DROP TABLE t'),
	'temporary, ON COMMIT DELETE ROWS' => plain('CREATE TEMP TABLE t (id int, v text) ON COMMIT DELETE ROWS', undef,
		target => 'pg_temp.t', after => 'DROP TABLE t'),
	'fillfactor' => plain('CREATE TABLE t (id int, v text) WITH (fillfactor = 50)'),
	'values out of line' => plain($table, q[SELECT i AS id, (SELECT string_agg(md5((i * 1000 + j)::text), '')
		FROM generate_series(1, 300) AS j) AS v FROM generate_series(1, 7) AS i]),
	'a child of inheritance' => plain('CREATE TABLE parent (id int); CREATE TABLE t (v text) INHERITS (parent)'),
	'a parent of inheritance' => plain("$table; CREATE TABLE child () INHERITS (t); INSERT INTO child VALUES (200, 'x')"),
	'a table of a type' => plain('CREATE TYPE shape AS (id int, v text); CREATE TABLE t OF shape'),

	'defaults' => plain(q[CREATE SEQUENCE s; CREATE TABLE t (id int, a int DEFAULT 7, b text DEFAULT upper('x'), c serial,
		d bigint DEFAULT nextval('s') * 10, e int DEFAULT NULL)], 'SELECT i AS id FROM generate_series(1, 7) AS i'),
	'default now()' => plain('CREATE TABLE t (id int, at timestamptz DEFAULT now(), day date DEFAULT current_date)',
		'SELECT i AS id FROM generate_series(1, 7) AS i',
		show => q[SELECT id, at > now() - interval '1 hour', count(*) OVER (PARTITION BY at), day >= current_date - 1 FROM t ORDER BY id]),
	'default clock_timestamp()' => plain('CREATE TABLE t (id int, at timestamptz DEFAULT clock_timestamp())',
		'SELECT i AS id FROM generate_series(1, 7) AS i', show => 'SELECT count(at) FROM t'),
	'a default that fails' => plain('CREATE TABLE t (id int, a int DEFAULT 1 / 0)', 'SELECT i AS id FROM generate_series(1, 7) AS i'),
	'NULL is not the default' => plain('CREATE TABLE t (id int, v text DEFAULT $$d$$)', 'SELECT 1 AS id, NULL::text AS v'),
	'default of a domain' => plain('CREATE DOMAIN d AS int DEFAULT 5; CREATE TABLE t (id int, v d)', 'SELECT 1 AS id'),
	'a domain NOT NULL, not sent' => plain('CREATE TABLE t (id int, v required)', 'SELECT 1 AS id',
		refuses => { copy => 'COPY does not check what it is not sent' }),
	'a domain NOT NULL, NULL sent' => plain('CREATE TABLE t (id int, v required)', 'SELECT 1 AS id, NULL::text AS v'),
	'identity BY DEFAULT, not sent' => plain('CREATE TABLE t (id int, k int GENERATED BY DEFAULT AS IDENTITY (START 10 INCREMENT 5))',
		'SELECT i AS id FROM generate_series(1, 7) AS i'),
	'identity BY DEFAULT, sent' => plain('CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY, v text)'),
	'identity ALWAYS, not sent' => plain('CREATE TABLE t (id int, k bigint GENERATED ALWAYS AS IDENTITY)',
		'SELECT i AS id FROM generate_series(1, 7) AS i'),
	'identity ALWAYS, sent' => plain('CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, v text)', undef, %writes_over),
	'generated column' => plain('CREATE TABLE t (id int, v text, w text GENERATED ALWAYS AS (upper(v) || id) STORED)'),
	'generated column before the others' => plain('CREATE TABLE t (w int GENERATED ALWAYS AS (id * 2) STORED NOT NULL, id int, v text)'),
	'generated column that fails' => plain('CREATE TABLE t (id int, v text, w int GENERATED ALWAYS AS (1 / (id - 5)) STORED)'),
	'generated column and CHECK on it' => plain('CREATE TABLE t (id int, v text, w int GENERATED ALWAYS AS (id * 2) STORED CHECK (w < 9))'),
	'generated column, sent' => plain('CREATE TABLE t (id int, v text GENERATED ALWAYS AS (id::text) STORED)', undef, %writes_over),

	'NOT NULL' => plain('CREATE TABLE t (id int NOT NULL, v text NOT NULL)'),
	'NOT NULL, NULL sent' => plain('CREATE TABLE t (id int, v text NOT NULL)',
		q[SELECT i AS id, nullif(i, 5)::text AS v FROM generate_series(1, 7) AS i]),
	'NOT NULL, not sent' => plain('CREATE TABLE t (id int, v text, w int NOT NULL)'),
	'CHECK' => plain('CREATE TABLE t (id int, v text, CHECK (id > 0 AND v LIKE $$v%$$))'),
	'CHECK, refused' => plain('CREATE TABLE t (id int CONSTRAINT below_5 CHECK (id < 5), v text)'),
	'CHECK NOT VALID, refused' => plain("$table; INSERT INTO t VALUES (9); ALTER TABLE t ADD CONSTRAINT c CHECK (id < 5) NOT VALID"),
	'CHECK that fails itself' => plain('CREATE TABLE t (id int CHECK (1 / (id - 5) < 9), v text)'),
	'several CHECKs refuse' => plain('CREATE TABLE t (id int CONSTRAINT b CHECK (id < 5), v text CONSTRAINT a CHECK (v < $$v4$$))'),
	'PRIMARY KEY' => plain('CREATE TABLE t (id int PRIMARY KEY, v text)'),
	'PRIMARY KEY, there before' => plain('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (5)'),
	'PRIMARY KEY, twice in a batch' => plain('CREATE TABLE t (id int PRIMARY KEY, v text)', 'SELECT i / 2 AS id FROM generate_series(1, 7) AS i'),
	'PRIMARY KEY, twice in two batches' => plain('CREATE TABLE t (id int PRIMARY KEY, v text)', 'SELECT i % 5 AS id FROM generate_series(1, 7) AS i'),
	'PRIMARY KEY, NULL' => plain('CREATE TABLE t (id int PRIMARY KEY, v text)', 'SELECT nullif(i, 4) AS id FROM generate_series(1, 7) AS i'),
	'UNIQUE, NULLs' => plain('CREATE TABLE t (id int, v text, UNIQUE (v))', 'SELECT i AS id, NULL::text AS v FROM generate_series(1, 7) AS i'),
	'UNIQUE NULLS NOT DISTINCT' => plain('CREATE TABLE t (id int, v text, UNIQUE NULLS NOT DISTINCT (v))',
		'SELECT i AS id, NULL::text AS v FROM generate_series(1, 7) AS i'),
	'UNIQUE on two columns' => plain('CREATE TABLE t (id int, v text, UNIQUE (v, id) INCLUDE (id))'),
	'UNIQUE before CHECK' => plain('CREATE TABLE t (id int UNIQUE CHECK (id <> 2), v text); INSERT INTO t VALUES (1)', undef,
		modes => ['append'], differs => { map { ($_ => 'constraints of all rows of a batch are checked before its unique keys') } qw(bulk copy) }),
	'UNIQUE DEFERRABLE, refused' => plain('CREATE TABLE t (id int UNIQUE DEFERRABLE, v text)', 'SELECT i % 5 AS id FROM generate_series(1, 7) AS i'),
	'UNIQUE INITIALLY DEFERRED' => plain('CREATE TABLE t (id int UNIQUE DEFERRABLE INITIALLY DEFERRED, v text)'),
	'UNIQUE INITIALLY DEFERRED, refused' => plain('CREATE TABLE t (id int UNIQUE DEFERRABLE INITIALLY DEFERRED, v text)',
		'SELECT i % 5 AS id FROM generate_series(1, 7) AS i'),
	'EXCLUDE' => plain('CREATE TABLE t (id int, r int4range, EXCLUDE USING gist (r WITH &&))',
		'SELECT i AS id, int4range(i, i + 1) AS r FROM generate_series(1, 7) AS i'),
	'EXCLUDE, refused' => plain('CREATE TABLE t (id int, r int4range, EXCLUDE USING gist (r WITH &&))',
		'SELECT i AS id, int4range(i, i + CASE i WHEN 3 THEN 2 ELSE 1 END) AS r FROM generate_series(1, 7) AS i'),
	'EXCLUDE INITIALLY DEFERRED, refused' => plain(
		'CREATE TABLE t (id int, r int4range, EXCLUDE USING gist (r WITH &&) DEFERRABLE INITIALLY DEFERRED)',
		'SELECT i AS id, int4range(i, i + 2) AS r FROM generate_series(1, 7) AS i'),
	'FOREIGN KEY' => plain("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT generate_series(1, 7); $table;
		ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES p"),
	'FOREIGN KEY, refused' => plain("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT generate_series(1, 4); $table;
		ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES p"),
	'FOREIGN KEY INITIALLY DEFERRED, refused' => plain("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT generate_series(1, 4);
		$table; ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES p DEFERRABLE INITIALLY DEFERRED"),
	'FOREIGN KEY to itself' => plain('CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t)',
		'SELECT i AS id, nullif(i % 7 + 1, 1) AS up FROM generate_series(1, 7) AS i'),
	'FOREIGN KEY from others' => plain('CREATE TABLE t (id int PRIMARY KEY, v text);
		CREATE TABLE p (id int REFERENCES t ON DELETE CASCADE); INSERT INTO t VALUES (0); INSERT INTO p VALUES (0)'),

	'several indexes' => plain("$table; CREATE INDEX ON t (id); CREATE INDEX ON t (v DESC); CREATE INDEX ON t USING hash (v);
		CREATE INDEX ON t USING brin (id)", undef, show => 'SET enable_seqscan = off; SELECT * FROM t WHERE id BETWEEN 0 AND 99 ORDER BY id;
		SELECT * FROM t WHERE v = $$v5$$; RESET enable_seqscan'),
	'partial index' => plain("$table; CREATE UNIQUE INDEX ON t ((1)) WHERE id = 5", undef,
		show => 'SET enable_seqscan = off; SELECT * FROM t WHERE id = 5; RESET enable_seqscan'),
	'partial unique index, refused' => plain("$table; CREATE UNIQUE INDEX i ON t ((1)) WHERE id > 4"),
	'partial index with a predicate that fails' => plain("$table; CREATE INDEX i ON t (v) WHERE 1 / (id - 5) > 0"),
	'expression index' => plain("$table; CREATE UNIQUE INDEX ON t (lower(v), (id + 1))"),
	'unique expression index, refused' => plain("$table; CREATE UNIQUE INDEX i ON t ((id / 4))"),
	'expression index that fails' => plain("$table; CREATE INDEX i ON t ((1 / (id - 5)))"),
	'GIN' => plain('CREATE TABLE t (id int, v text[], j jsonb); CREATE INDEX ON t USING gin (v); CREATE INDEX ON t USING gin (j)',
		q[SELECT i AS id, ARRAY['a' || i, 'b'] AS v, jsonb_build_object('k', i) AS j FROM generate_series(1, 7) AS i],
		show => q[SET enable_seqscan = off; SELECT * FROM t WHERE v @> '{b}' ORDER BY id; SELECT id FROM t WHERE j @> '{"k": 3}'; RESET enable_seqscan]),
	'an index entry that is too large' => plain("$table; CREATE INDEX i ON t (v)",
		q[SELECT 1 AS id, (SELECT string_agg(md5(j::text), '') FROM generate_series(1, 2000) AS j) AS v]),

	'AFTER ROW' => plain("$table; CREATE TRIGGER a AFTER INSERT OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION log_it()", undef,
		differs => { 'copy replace' => 'what the rows trigger comes before what the DELETE triggers' }),
	'AFTER ROW WHEN' => plain("$table; CREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW WHEN (NEW.id % 2 = 0) EXECUTE FUNCTION log_it()"),
	'AFTER STATEMENT' => plain("$table; CREATE TRIGGER a AFTER INSERT OR DELETE ON t EXECUTE FUNCTION log_it()", undef,
		differs => { 'copy replace' => 'what the rows trigger comes before what the DELETE triggers' }),
	'AFTER STATEMENT, no rows' => plain("$table; CREATE TRIGGER a AFTER INSERT ON t EXECUTE FUNCTION log_it()", "$rows WHERE i < 0"),
	'AFTER UPDATE' => plain("$table; CREATE TRIGGER a AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION log_it()"),
	'AFTER ROW and STATEMENT, in their order' => plain("$table; CREATE TRIGGER b AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log_it();
		CREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log_it(); CREATE TRIGGER c AFTER INSERT ON t EXECUTE FUNCTION log_it()"),
	'a transition table' => plain("$table; CREATE TRIGGER a AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows EXECUTE FUNCTION log_new()"),
	'a transition table and AFTER ROW' => plain("$table; CREATE TRIGGER a AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows
		FOR EACH ROW EXECUTE FUNCTION log_new(); CREATE TRIGGER b AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log_it()"),
	'a transition table with generated columns' => plain('CREATE TABLE t (id int, v text, w int GENERATED ALWAYS AS (id * 2) STORED,
		x serial); CREATE TRIGGER a AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows EXECUTE FUNCTION log_new()'),
	'AFTER ROW that refuses' => plain("$table; CREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse_5()"),
	'a constraint trigger' => plain("$table; CREATE CONSTRAINT TRIGGER a AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log_it()"),
	'a deferred constraint trigger' => plain("$table; CREATE CONSTRAINT TRIGGER a AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION log_it()"),
	'a deferred constraint trigger that refuses' => plain("$table; CREATE CONSTRAINT TRIGGER a AFTER INSERT ON t DEFERRABLE INITIALLY
		DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_5()"),
	'disabled and replica triggers' => plain("$table; CREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log_it();
		CREATE TRIGGER b AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log_it(); ALTER TABLE t DISABLE TRIGGER a;
		ALTER TABLE t ENABLE REPLICA TRIGGER b"),

	'BEFORE ROW' => other("$table; CREATE TRIGGER a BEFORE INSERT OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION log_it()"),
	'BEFORE ROW that changes and skips' => other("$table; CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION skip_odd();
		CREATE TRIGGER b AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log_it()"),
	'BEFORE ROW that refuses' => other("$table; CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse_5()"),
	'BEFORE ROW and constraints' => other('CREATE TABLE t (id int, v text CHECK (v LIKE $$%!$$), w text GENERATED ALWAYS AS (v || v) STORED);
		CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION skip_odd()'),
	'BEFORE and AFTER STATEMENT' => other("$table; CREATE TRIGGER a BEFORE INSERT OR DELETE ON t EXECUTE FUNCTION log_it();
		CREATE TRIGGER b AFTER INSERT OR DELETE ON t EXECUTE FUNCTION log_it()", undef,
		differs => { 'copy replace' => 'what the rows trigger comes before what the DELETE triggers' }),
	'BEFORE STATEMENT, no rows' => other("$table; CREATE TRIGGER a BEFORE INSERT ON t EXECUTE FUNCTION log_it()", "$rows WHERE i < 0"),

	'partitions' => other('CREATE TABLE t (id int, v text) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (4);
		CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (4) TO (8)'),
	'no partition' => other('CREATE TABLE t (id int, v text) PARTITION BY RANGE (id);
		CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (5)'),
	'a default partition' => other('CREATE TABLE t (id int, v text) PARTITION BY LIST (id); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1, 5);
		CREATE TABLE t2 PARTITION OF t DEFAULT'),
	'hash partitions of partitions' => other('CREATE TABLE t (id int, v text) PARTITION BY HASH (id);
		CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);
		CREATE TABLE t2 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY LIST (v); CREATE TABLE t3 PARTITION OF t2 DEFAULT'),
	'a partition with other columns' => other('CREATE TABLE t (id int, v text, w int DEFAULT 3) PARTITION BY RANGE (id);
		CREATE TABLE t1 (gone int, v text, w int, id int); ALTER TABLE t1 DROP gone; ALTER TABLE t ATTACH PARTITION t1 DEFAULT;
		CREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log_it();
		CREATE TRIGGER b AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows EXECUTE FUNCTION log_new()'),
	'triggers of a partition' => other('CREATE TABLE t (id int, v text) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t DEFAULT;
		CREATE TRIGGER a BEFORE INSERT ON t1 FOR EACH ROW EXECUTE FUNCTION skip_odd();
		CREATE TRIGGER b AFTER INSERT ON t1 FOR EACH ROW EXECUTE FUNCTION log_it(); CREATE TRIGGER c AFTER INSERT ON t1 EXECUTE FUNCTION log_it()'),
	'unique partitions' => other('CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t DEFAULT',
		'SELECT i % 5 AS id FROM generate_series(1, 7) AS i'),
	'a partition itself' => other('CREATE TABLE p (id int, v text) PARTITION BY RANGE (id);
		CREATE TABLE t PARTITION OF p FOR VALUES FROM (0) TO (8)'),
	'a partition itself, row of another' => other('CREATE TABLE p (id int, v text) PARTITION BY RANGE (id);
		CREATE TABLE t PARTITION OF p FOR VALUES FROM (0) TO (5)'),

	'a view with INSTEAD OF' => other("CREATE TABLE b (id int, v text); CREATE VIEW t AS SELECT id * 1 AS id, v FROM b;
		CREATE TRIGGER a INSTEAD OF INSERT ON t FOR EACH ROW EXECUTE FUNCTION log_it()"),
	'a view that can be updated' => other('CREATE TABLE b (id int, v text, w int DEFAULT 6); CREATE VIEW t AS SELECT id, v FROM b',
		undef, show => 'TABLE b ORDER BY id'),
	'a view WITH CHECK OPTION' => other('CREATE TABLE b (id int, v text); CREATE VIEW t AS SELECT id, v FROM b WHERE id < 5 WITH CHECK OPTION'),
	'a view that cannot be updated' => other('CREATE TABLE b (id int, v text); CREATE VIEW t AS SELECT DISTINCT id, v FROM b', undef, %unlike_insert),
	'a materialized view' => other('CREATE MATERIALIZED VIEW t AS SELECT 1 AS id, NULL::text AS v', undef, %unlike_insert),
	'a sequence' => other('CREATE SEQUENCE t', undef, show => 'SELECT 1', %unlike_insert),
	'a rule INSTEAD' => other("$table; CREATE TABLE b (LIKE t); CREATE RULE r AS ON INSERT TO t DO INSTEAD INSERT INTO b VALUES (NEW.id, NEW.v)",
		undef, show => 'TABLE t ORDER BY id; TABLE b ORDER BY id',
		differs => { 'copy replace' => 'the rows of the append before are not there, which was refused' }),
	'a rule INSTEAD NOTHING' => other("$table; CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING"),
	'a rule ALSO' => other("$table; CREATE TABLE b (LIKE t); CREATE RULE r AS ON INSERT TO t WHERE NEW.id > 3 DO ALSO INSERT INTO b VALUES (NEW.id, NEW.v)",
		undef, show => 'TABLE t ORDER BY id; TABLE b ORDER BY id',
		differs => { 'copy replace' => 'the rows of the append before are not there, which was refused' }),
	'a foreign table' => other("CREATE TABLE b (id int, v text); CREATE FOREIGN TABLE t (id int, v text) SERVER loop
		OPTIONS (schema_name 'c', table_name 'b')"),
	'a foreign table that refuses' => other("CREATE TABLE b (id int CHECK (id < 5), v text); CREATE FOREIGN TABLE t (id int, v text) SERVER loop
		OPTIONS (schema_name 'c', table_name 'b')"),
	'a foreign partition' => other("CREATE TABLE b (id int, v text); CREATE TABLE t (id int, v text) PARTITION BY RANGE (id);
		CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (4); CREATE FOREIGN TABLE t2 PARTITION OF t FOR VALUES FROM (4) TO (8)
		SERVER loop OPTIONS (schema_name 'c', table_name 'b')"));


# The statements of a case by a method, in steps: an empty schema, the target, then for each mode the call, what it left
# in the target, in the log of triggers, and in sequences. In mode replace all of the target is the slice.
sub steps
{
	my ($case, $method) = @_;
	my $target = $case->{target} // 'c.t';
	my $show = $case->{show} // 'SELECT t::text FROM t ORDER BY 1';
	$show =~ s/t::text/t.tableoid::regclass, t::text/ if $case->{ddl} =~ /TABLE t /;
	my @steps = ("DROP SCHEMA IF EXISTS c CASCADE; CREATE SCHEMA c; SET search_path = c, public;
		CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text); $case->{ddl}");
	for my $mode (modes_of($case, $method))
	{
		my $call = $method eq 'insert' ? "SELECT insert_rows(\$query\$$case->{query}\$query\$, '$target')"
		  : copy_sql($case->{query} =~ s/([{}])/$1$1/gr, undef, batch => 3, target => "'$target'", method => "'$method'", mode => "'$mode'",
			$mode eq 'replace' ? (replace_where => q['true']) : (on_rerun => "'run'"));
		push @steps, $call, $show, 'SELECT what FROM log ORDER BY n',
		  q[SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'c' ORDER BY 1];
	}
	return (@steps, $case->{after} // '');
}

sub modes_of
{
	my ($case, $method) = @_;
	return $method eq 'insert' ? 'append' : @{ $case->{modes} // [ 'append', 'replace' ] };
}

# Runs statements, each step after the other whatever comes; returns what each has printed, or its error as "ERROR
# SQLSTATE: message", or "refused: ...".
sub run_steps
{
	my (@steps) = @_;
	my $script = "SET client_min_messages = error;\n" . join '', map { "\\echo <<step>>\n\\warn <<step>>\n$_;\n" } @steps;
	my (undef, $out, $err) = $destination->psql('postgres', $script, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my (undef, @printed) = split /<<step>>\n?/, $out, -1;
	my (undef, @said) = split /<<step>>\n?/, $err, -1;
	is(scalar(@said), scalar(@steps), 'every step was run');
	return map { outcome($printed[$_], $said[$_]) } 0 .. $#steps;
}

sub outcome
{
	my ($printed, $said) = @_;
	return $printed unless $said =~ /(?:ERROR|FATAL):  (\w{5}: .*)/;
	my $error = $1;
	my ($hint) = $said =~ /HINT:  (.*)/;
	return "refused: $error" if $error =~ /^0A000/ && ($error =~ /not supported yet/ || ($hint // '') =~ /method => 'cursor'/);
	return "ERROR $error";
}

# What a method does in all cases, by case and mode.
sub effects
{
	my ($method) = @_;
	my @results = run_steps(map { steps($_, $method) } map { $cases[2 * $_ + 1] } 0 .. $#cases / 2);
	my %effects;
	for my $i (0 .. $#cases / 2)
	{
		my ($name, $case) = @cases[ 2 * $i, 2 * $i + 1 ];
		my $made = shift @results;
		$made =~ /\A\s*\z/ or fail("$name: $made");
		for my $mode (modes_of($case, $method))
		{
			my ($result, $rows, $log, $sequences) = splice @results, 0, 4;
			# What an error has taken from sequences is left open.
			$effects{$name}{$mode} = join '', $result, "\n", $rows, $log, $result =~ /^\d+$/ ? $sequences : '';
		}
		shift @results;
	}
	return \%effects;
}

my @methods = ('insert', 'copy', 'bulk');
my %effects = map { $_ => effects($_) } 'cursor', @methods;
my (%compared, %refused, %differ, %unsupported);
while (my ($name, $case) = splice @cases, 0, 2)
{
	my $cursor = $effects{cursor}{$name};
	ok($cursor->{$_} !~ /^refused|^ERROR 22023: on_rerun/, "$name: cursor, $_") or diag($cursor->{$_}) for sort keys %$cursor;
	for my $method (@methods)
	{
		for my $mode (modes_of($case, $method))
		{
			my ($got, $difference) = ($effects{$method}{$name}{$mode}, $case->{differs}{"$method $mode"} // $case->{differs}{$method});
			if ($got =~ /^refused: /)
			{
				my $is_missing = $got =~ /not supported yet/;
				$refused{$method}++;
				$unsupported{$method}++ if $is_missing;
				fail("$name: $method, $mode $got") if $case->{plain} && !$case->{refuses}{$method} && !$is_missing;
				next;
			}
			$compared{$method}++;
			$differ{$method}++ if $difference;
			$difference ? isnt($got, $cursor->{$mode}, "$name: $method, $mode differs: $difference")
			  : is($got, $cursor->{$mode}, "$name: $method, $mode as cursor");
		}
	}
}
diag(sprintf '%s: %d cases compared with cursor, %d of them differ as documented; %d refused, %d of them as the method is not there',
	$_, map { $_ // 0 } $compared{$_}, $differ{$_}, $refused{$_}, $unsupported{$_}) for @methods;

# A numeric is stored as the server itself stores it, bit by bit: all lengths before and after the point, leading and
# trailing zeros, magnitudes that have the short header and the long one.
my $seed = $ENV{SEED} // time ^ $$;
srand($seed);
my @numbers;
my @lengths = (0 .. 17, 60 .. 66, 252 .. 260);
for my $before (@lengths)
{
	for my $after (@lengths)
	{
		my ($whole, $fraction) = map { join '', map { rand() < 0.3 ? 0 : int rand 10 } 1 .. $_ } $before, $after;
		$fraction =~ s/^.{0,9}/0 x length $&/e if rand() < 0.4;
		$fraction =~ s/.{0,9}$/0 x length $&/e if rand() < 0.4;
		$whole =~ s/.{0,9}$/0 x length $&/e if rand() < 0.4;
		push @numbers, (rand() < 0.5 ? '-' : '') . "0$whole.$fraction" for 1 .. 2;
	}
}
push @numbers, map { ("1e$_", "-98765.4321e$_", "1e-$_") } 0 .. 300, map { 500 * $_ } 1 .. 8;
on_both('CREATE TABLE numbers (id int, v numeric)', $source, $destination);
$source->safe_psql('postgres', join "\n", 'COPY numbers FROM stdin;', (map { "$_\t$numbers[$_]" } 0 .. $#numbers), '\\.', '');
my $stored = q[SELECT count(*), md5(string_agg(concat_ws(' ', id, v, pg_column_size(v), scale(v), encode(numeric_send(v), 'hex'),
	hash_numeric(v)), ',' ORDER BY id)) FROM numbers];
my $sent = $source->safe_psql('postgres', $stored);
my $stored_otherwise = q[WITH again AS (SELECT id, v::text::numeric AS v FROM numbers)
	SELECT count(*) FROM numbers AS n JOIN again AS a USING (id)
	  WHERE numeric_send(n.v) <> numeric_send(a.v) OR n.v <> a.v OR hash_numeric(n.v) <> hash_numeric(a.v)];
for my $method ('cursor', @methods[ 1, 2 ])
{
	$destination->safe_psql('postgres', 'TRUNCATE numbers');
	my $call = copy_sql('TABLE numbers', undef, target => "'numbers'", method => "'$method'");
	my ($status, $out, $err) = $destination->psql('postgres', $call);
	next if $status != 0 && $err =~ /not supported yet/;
	is($destination->safe_psql('postgres', $stored), $sent, scalar(@numbers) . " random numerics by $method (SEED=$seed)") or diag($err);
	is($destination->safe_psql('postgres', $stored_otherwise), 0, "$method: they are stored as numeric_in() would");
}

is(source_sessions($source), 0, 'no session is left at the source');
done_testing();
