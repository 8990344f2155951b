# Method copy: COPY of the source into COPY of the target. The rows, or the error, are those of method cursor wherever
# the documentation does not say otherwise.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(
	source => "timezone = 'America/New_York'\nlog_statement = 'all'\n",
	destination => "timezone = 'America/New_York'\n");
my $port = $source->port;

sub copy_call { my ($query, $day, %argument) = @_; return copy_sql($query, $day, method => "'copy'", %argument); }

# What a call does: the number of rows and the target's content, or SQLSTATE and message.
sub outcome
{
	my ($call, $target, @before) = @_;
	my ($status, $out, $err) = $destination->psql('postgres',
		join(';', "TRUNCATE $target", @before, $call), extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return "$1" if $err =~ /ERROR:  (\w{5}: .*)/;
	return "$out: " . $destination->safe_psql('postgres',
		"SELECT string_agg(t::text, ' ' ORDER BY t::text COLLATE \"C\") FROM $target AS t");
}

# Both methods do the same, and that is this.
sub as_cursor
{
	my ($name, $query, $want, %option) = @_;
	my $day = delete $option{day};
	my $before = delete $option{before} // 'SELECT';
	my $cursor = outcome(copy_sql($query, $day, %option), 'target', $before);
	my $copy = outcome(copy_call($query, $day, %option), 'target', $before);
	ok($copy eq $cursor && $copy =~ $want, $name) or diag("cursor: $cursor\ncopy: $copy\nwanted: $want");
	return;
}

# As it is written in a template.
sub literal { return $_[0] =~ s/([{}])/$1$1/gr; }

sub target_is { my ($columns) = @_; $destination->safe_psql('postgres', "DROP TABLE IF EXISTS target CASCADE; CREATE TABLE target ($columns)"); return; }

# The last COPY that the source was asked for.
sub last_copy
{
	my ($copy) = TwoServers::slurp_file($source->logfile) =~ /.*execute <unnamed>: (COPY \(.*?\) TO STDOUT \(FORMAT \w+\))/s;
	return $copy =~ s/\s+/ /gr;
}

# --- the call, both template styles, both modes

$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE users (id int PRIMARY KEY, name text, created_at timestamptz);
	INSERT INTO users SELECT g, 'user ' || g, timestamptz '2018-07-28 00:00:00-04' + g * interval '1 minute'
	  FROM generate_series(0, 3 * 1440 - 1) AS g;
	CREATE TABLE countries (id int, name text);
	INSERT INTO countries VALUES (1, 'Chile'), (2, 'Perú'), (3, NULL), (4, E'a\tb\nc\\d\r'), (5, ''), (6, '\.'), (7, '\N');
	SQL
$destination->safe_psql('postgres', 'CREATE TABLE users (id int PRIMARY KEY, name text, created_at timestamptz); CREATE TABLE countries (id int, name text)');
my $day_of_users = q(SELECT count(*), min(id), max(id), sum(hashtext(name)) FROM users);
my $want = $source->safe_psql('postgres', "$day_of_users WHERE created_at::date = '2018-07-29'");
for my $style ('SELECT * FROM users WHERE created_at >= $1 AND created_at < $2', q(SELECT * FROM users WHERE created_at::date = date '{}' -- the day),
	'SELECT name, created_at, id FROM users WHERE created_at >= $1::timestamptz AND created_at<$2;')
{
	$destination->safe_psql('postgres', 'TRUNCATE users');
	copies($destination, copy_call($style, '2018-07-29'), 1440, $day_of_users, $want, "append: $style");
}
like(last_copy(), qr/^\QCOPY (SELECT name, created_at, id FROM users WHERE created_at >= CAST('2018-07-29 00:00:00-04' AS timestamp with time zone) ::timestamptz\E/,
	'parameters become constants of the types that the source has found');
is($destination->safe_psql('postgres', 'SELECT method, status, rows_read, rows_written, batches, bytes FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1'),
	join('|', 'copy', 'succeeded', 1440, 1440, 1, $source->safe_psql('postgres', "SELECT sum(octet_length(name) + 12) FROM users WHERE created_at::date = '2018-07-29'")),
	'the ledger');
fails_with($destination, copy_call('SELECT * FROM users WHERE created_at >= $1 AND created_at < $2', '2018-07-29'), '23505', qr/duplicate key/, 'a second time: the primary key');
my %replace = (mode => "'replace'", replace_where => "'created_at >= \$1 AND created_at < \$2'");
my $window = 'SELECT * FROM users WHERE created_at >= $1 AND created_at < $2';
$destination->safe_psql('postgres', "UPDATE users SET name = 'old'; INSERT INTO users VALUES (-1, 'gone', '2018-07-29 12:00'), (-2, 'stays', '2018-07-28 12:00')");
is($destination->safe_psql('postgres', copy_call($window, '2018-07-29', %replace) . "; $day_of_users WHERE id <> -2; SELECT name FROM users WHERE id = -2"),
	"1440\n$want\nstays", 'replace: the slice is renewed, its neighbour stays');
is($destination->safe_psql('postgres', 'SELECT rows_deleted, rows_written FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1'), '1441|1440', 'replace: the ledger');
like(fails_with($destination, copy_call(q(SELECT * FROM users WHERE created_at >= $1 AND created_at < greatest($2::timestamptz + interval '3 minutes', $1)), '2018-07-29', %replace),
	'44000', qr/3 rows of the source are outside of replace_where/, 'replace: rows outside'), qr/HINT:  Use the same condition in query_template and replace_where/, 'its hint');
is($destination->safe_psql('postgres', "$day_of_users WHERE id <> -2"), $want, 'replace: nothing has changed then');
is($destination->safe_psql('postgres', copy_call($window, '2018-08-29', %replace)), 0, 'replace: an empty day');
$destination->safe_psql('postgres', copy_call('TABLE countries', undef)) for 1, 2;
copies($destination, copy_call('TABLE countries', undef, mode => "'replace'"), 7, 'SELECT count(*) FROM countries', 7, 'replace of a whole table');
same_rows($source, $destination, 'countries', 'texts of all kinds');
is($destination->safe_psql('postgres', "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM users; " . copy_call($window, '2018-07-29', %replace) . '; COMMIT'),
	"1441\n1440", 'in a REPEATABLE READ transaction');

# --- types

$source->safe_psql('postgres', <<~'SQL');
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE TABLE kinds (id int, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric, m money, t text, v varchar(5), c char(5),
	  "C" "char", nm name, bt bytea, d date, tm time, tz timetz, ts timestamp(3), tstz timestamptz, iv interval, u uuid, j json, jb jsonb,
	  a int[], ta text[], bi bit(3), vb varbit, ip inet, ci cidr, mac macaddr, r int4range, mr int4multirange, p point, pg box, tsv tsvector, lsn pg_lsn);
	INSERT INTO kinds VALUES (1, true, -2, 2^60, 0.1, 1e-300, 1.230, 12.34, 'täxt', 'vär', 'ch', 'x', 'name', '\xdead00', '2018-07-29', '12:34:56.789',
	  '12:34:56+05:30', '2018-07-29 12:34:56.789', '2018-07-29 12:34:56.789012+00', '1 mon -3 days 04:05:06.789', gen_random_uuid(), '{"a":  1}',
	  '{"b": [1, null]}', '[0:1]={1,NULL}', '{"a b",NULL,"NULL",""}', '101', '10', '10.1.2.3/8', '10.0.0.0/8', '08:00:2b:01:02:03', '[1,5)', '{[1,3),[5,7)}',
	  '(1.5,-2)', '(1,2),(0,0)', 'a:1 b:2A', '16/B374D848'),
	  (2, false, NULL, NULL, 'NaN', '-infinity', 'NaN', NULL, '', '', '', '', '', '', 'infinity', '24:00', NULL, '-infinity', 'infinity', '-178000000 years',
	  NULL, NULL, NULL, '{}', '{}', NULL, '', '::1', NULL, NULL, 'empty', '{}', NULL, NULL, '', NULL);
	INSERT INTO kinds VALUES (3);
	CREATE TABLE own (id int, mood mood, x xml, reg regclass, tq tsquery, moods mood[]);
	INSERT INTO own VALUES (1, 'happy', '<a/>', 'pg_class', 'a & b', '{sad,NULL}'), (3, 'sad', '<?xml version="1.0"?><b/>', NULL, '', '{}');
	INSERT INTO own VALUES (2);
	SQL
$destination->safe_psql('postgres', $source->safe_psql('postgres',
	"SELECT format('CREATE TABLE kinds (%s)', string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum))
	   FROM pg_attribute WHERE attrelid = 'kinds'::regclass AND attnum > 0")
	. ";CREATE TYPE other AS ENUM ('x'); CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE TABLE own (id int, mood mood, x xml, reg regclass, tq tsquery, moods mood[])");
for my $encoding ('UTF8', 'SQL_ASCII', 'LATIN1')
{
	# Intervals of another kind of server travel as text.
	my $is_same = ($source->pg_version >= 17) == ($destination->pg_version >= 17);
	my $format = $encoding eq 'LATIN1' || !$is_same ? 'text' : 'binary';
	$destination->safe_psql('postgres', "TRUNCATE kinds; SET client_encoding = '$encoding';" . copy_call('TABLE kinds', undef));
	like(last_copy(), qr/FORMAT $format/, "client_encoding $encoding: format $format");
	same_rows($source, $destination, 'kinds', "client_encoding $encoding");
}
$destination->safe_psql('postgres', "SET datestyle = 'German'; SET intervalstyle = 'iso_8601'; SET array_nulls = off; " . copy_call('TABLE own', undef));
like(last_copy(), qr/"mood"::pg_catalog\.text, .*FORMAT text/, 'types of no common binary form travel as text');
same_rows($source, $destination, 'own', 'own types, text');
$destination->safe_psql('postgres', "TRUNCATE kinds; SET datestyle = 'German'; SET intervalstyle = 'iso_8601'; SET client_encoding = 'LATIN1';" . copy_call('TABLE kinds', undef));
same_rows($source, $destination, 'kinds', 'text under settings of the session');

# Types that differ: [target column, source expression, what is wanted].
for my $case (
	[ 'int8', '7::int4', qr/^1: \(7\)/ ], [ 'int4', '7::int8', qr/\(7\)/ ], [ 'int4', '3000000000::int8', qr/^22003: integer out of range/ ],
	[ 'int2', '2.5::float8', qr/\(2\)/ ], [ 'numeric(5,2)', '1.239::float8', qr/\(1.24\)/ ], [ 'numeric(3,1)', '1234::numeric', qr/^22003/ ],
	[ 'numeric(3,1)', '1.25::numeric', qr/\(1.3\)/ ],
	[ 'varchar(3)', "'abc'::text", qr/\(abc\)/ ], [ 'varchar(3)', "'abcd'::text", qr/^22001: value too long for type character varying\(3\)/ ],
	[ 'varchar(3)', "'abc  '::text", qr/\(abc\)/ ], [ 'char(3)', "'ab'::text", qr/\("ab "\)/ ], [ 'char(3)', "'abcd'::varchar", qr/^22001/ ],
	[ 'char(3)', "'abc   '::varchar", qr/\(abc\)/ ], [ 'text', "'ab   '::char(9)", qr/\(ab\)/ ], [ 'varchar(3)', "'ab   '::char(9)", qr/\(ab\)/ ],
	[ 'name', "repeat('x', 70)::text", qr/\(x{63}\)/ ], [ '"char"', "'xyz'::text", qr/\(x\)/ ],
	[ 'bit(3)', "'101'::bit(3)", qr/\(101\)/ ], [ 'bit(3)', "'1010'::bit(4)", qr/^22026/ ], [ 'varbit(3)', "'1010'::varbit", qr/^22001/ ],
	[ 'bit(3)', "'101'::varbit", qr/\(101\)/ ], [ 'varbit(3)', "'10'::bit(2)", qr/\(10\)/ ],
	[ 'timestamp(0)', "'2018-07-29 12:00:00.6'::timestamp", qr/12:00:01/ ], [ 'timestamptz(1)', "'2018-07-29 12:00:00.66+00'::timestamptz", qr/08:00:00.7-04/ ],
	[ 'time(0)', "'12:00:00.6'::time", qr/12:00:01/ ], [ 'interval(0)', "'1.6 s'::interval", qr/00:00:02/ ], [ 'interval hour', "'01:30'::interval", qr/01:00:00/ ],
	[ 'timestamptz', "'2018-07-29'::date", qr/00:00:00-04/ ], [ 'date', "'2018-07-29 03:00+00'::timestamptz", qr/2018-07-28/ ],
	[ 'timestamp', "'2018-07-29 03:00+00'::timestamptz", qr/07-28 23:00:00/ ], [ 'time', "'12:00:00+00'::timetz", qr/12:00:00/ ],
	[ 'text', '12::int4', qr/\(12\)/ ], [ 'text', "'2018-07-29 03:00+00'::timestamptz", qr/07-28 23:00:00-04/ ], [ 'varchar(4)', '12345::int4', qr/^22001/ ],
	[ 'text', "'t'::bool", qr/\(true\)/ ], [ 'text', "'happy'::mood", qr/\(happy\)/ ], [ 'varchar(3)', "'happy'::mood", qr/^22001/ ], [ 'mood', "'happy'::mood", qr/\(happy\)/ ],
	[ 'int4', "'x'::text", qr/^42804: column "a" is of type integer but expression is of type text/ ], [ 'int8', '3.5::float8', qr/\(4\)/ ],
	[ 'int8', "'2018-07-29'::timestamptz", qr/^42804/ ], [ 'date', '1::int4', qr/^42804/ ], [ 'bool', '1::int4', qr/^42804/ ], [ 'mood', "'happy'::text", qr/^42804/ ],
	[ 'other', "'happy'::mood", qr/^22P02: invalid input value for enum other: "happy"/ ], [ 'jsonb', q('{"a":1}'::json), qr/\("\{""a"": 1\}"\)/ ],
	[ 'int8[]', "'{1,NULL}'::int4[]", qr/{1,NULL}/ ], [ 'varchar(3)[]', "'{abcd}'::text[]", qr/^22001/ ], [ 'text[]', "'{1,2}'::int4[]", qr/{1,2}/ ],
	[ 'int4 NOT NULL', 'NULL::int4', qr/^23502/ ], [ 'int4 CHECK (a > 5)', '5::int8', qr/^23514/ ],
	[ 'text', 'NULL', qr/^1: \(\)/ ], [ 'money', '12.34::numeric', qr/12.34/ ], [ 'numeric', '12.34::numeric::money', qr/12.34/ ],
	[ 'inet', "'10.0.0.0/8'::cidr", qr/10.0.0.0/ ], [ 'oid', '12::int8', qr/\(12\)/ ], [ 'text', "'\\xff'::bytea", qr/xff/ ])
{
	my ($type, $expression, $want) = @$case;
	target_is("a $type");
	as_cursor("$expression into $type", 'SELECT ' . literal($expression) . ' AS a', $want, target => "'target'");
}
$destination->safe_psql('postgres', <<~'SQL');
	CREATE DOMAIN positive AS int8 CHECK (value > 0);
	CREATE DOMAIN short AS varchar(3) NOT NULL;
	CREATE DOMAIN moody AS mood CHECK (value <> 'sad');
	CREATE DOMAIN ints AS int4[] CHECK (cardinality(value) < 3);
	SQL
for my $case (
	[ 'positive', '1::int8', qr/\(1\)/ ], [ 'positive', '0::int8', qr/^23514: value for domain positive violates check/ ], [ 'positive', '1::int4', qr/\(1\)/ ],
	[ 'positive', '-1::int4', qr/^23514/ ], [ 'short', "'abcd'::text", qr/^22001/ ], [ 'short', 'NULL::text', qr/^23502/ ], [ 'short', "'ab'", qr/\(ab\)/ ],
	[ 'moody', "'sad'::mood", qr/^23514/ ], [ 'moody', "'happy'::mood", qr/\(happy\)/ ], [ 'ints', "'{1,2,3}'::int4[]", qr/^23514/ ], [ 'ints', "'{1,2}'::int4[]", qr/{1,2}/ ])
{
	my ($domain, $expression, $want) = @$case;
	target_is("a $domain");
	as_cursor("$expression into domain $domain", 'SELECT ' . literal($expression) . ' AS a', $want, target => "'target'");
}
# What only this session can do, and what depends on its settings.
$destination->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION to_mood(text) RETURNS mood IMMUTABLE LANGUAGE sql AS $$ SELECT lower($1)::mood $$;
	CREATE CAST (text AS mood) WITH FUNCTION to_mood(text) AS ASSIGNMENT;
	SQL
my $cannot = qr/method copy cannot convert column "a" from .* to .*HINT:  Use method => 'cursor'/s;
for my $case ([ 'mood', "'HAPPY'::text", '' ], [ 'regclass', '1259::oid', '' ], [ 'positive[]', "'{1}'::int4[]", '' ],
	[ 'text', "'2018-07-29'::date", "SET datestyle = 'German'" ], [ 'text', '0.1::float8', 'SET extra_float_digits = 0' ])
{
	my ($type, $expression, $set) = @$case;
	target_is("a $type");
	fails_with($destination, "$set; " . copy_call('SELECT ' . literal($expression) . ' AS a', undef, target => "'target'"), '0A000', $cannot, "refused: $expression into $type");
}
target_is('a text');
# Without the estimate for the progress, for which the source would be asked first.
fails_with($destination, 'SET track_activities = off; ' . copy_call('SELECT $1::mood::text AS a', '2018-07-29', target => "'target'"), '0A000', qr/cannot pass the parameter \$1.*HINT:  Use method => 'cursor'/s,
	'a parameter of a type that only the source has');

# --- the target: columns, identity, partitions, triggers, foreign tables, views

target_is('c text DEFAULT \'d\', a int4, g int GENERATED ALWAYS AS (a * 2) STORED, i int GENERATED ALWAYS AS IDENTITY, dropped int');
$destination->safe_psql('postgres', 'ALTER TABLE target DROP dropped');
as_cursor('defaults, generated and identity columns', 'SELECT 5 AS i, 3 AS a', qr/^1: \(d,3,6,5\)/, target => "'target'");
as_cursor('a generated column at the source', 'SELECT 99 AS g, 3 AS a', qr/^1: \(d,3,6,\d+\)/, target => "'target'", before => 'ALTER TABLE target ALTER i RESTART 1');
as_cursor('a column that the target lacks', 'SELECT 3 AS a, 4 AS z', qr/^42804: source column "z"/, target => "'target'");
target_is('day date, a int4) PARTITION BY RANGE (day');
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE target_1 PARTITION OF target FOR VALUES FROM ('2018-07-01') TO ('2018-08-01');
	CREATE TABLE target_2 (a int4, day date);
	ALTER TABLE target ATTACH PARTITION target_2 FOR VALUES FROM ('2018-08-01') TO ('2018-09-01');
	SQL
my $days = q(SELECT d::date AS day, 1 AS a FROM generate_series(timestamp '2018-07-30', '2018-08-03', '1 day') AS d);
as_cursor('partitions', $days, qr/^5: /, target => "'target'");
as_cursor('no partition', q(SELECT date '2018-09-01' AS day, 1 AS a), qr/^23514: no partition/, target => "'target'");
as_cursor('replace in partitions', $days, qr/^5: /, target => "'target'", mode => "'replace'", replace_where => q('day < $$2018-08-04$$'));
as_cursor('replace in partitions, rows outside', $days, qr/^44000: 2 rows/, target => "'target'", mode => "'replace'", replace_where => q('day < $$2018-08-02$$'));
$destination->safe_psql('postgres', <<~SQL);
	CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '@{[ $destination->host ]}', port '@{[ $destination->port ]}', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER self;
	CREATE TABLE behind (day date, a int4);
	CREATE FOREIGN TABLE target_3 PARTITION OF target FOR VALUES FROM ('2018-09-01') TO ('2018-10-01') SERVER self OPTIONS (table_name 'behind');
	SQL
is(outcome(copy_call(q(SELECT date '2018-09-05' AS day, g AS a FROM generate_series(1, 3) AS g), undef, target => "'target_3'"), 'behind'),
	'3: (2018-09-05,1) (2018-09-05,2) (2018-09-05,3)', 'a foreign table');
is(outcome(copy_call(q(SELECT date '2018-09-05' AS day, g AS a FROM generate_series(1, 3) AS g), undef, target => "'target'"), 'behind'),
	'3: (2018-09-05,1) (2018-09-05,2) (2018-09-05,3)', 'a partition that is a foreign table');
fails_with($destination, copy_call($days, undef, target => "'target'", mode => "'replace'", replace_where => "'day = \$\$2018-09-05\$\$'"),
	'0A000', qr/method copy cannot write to "target".*replace_where.*HINT:  Use method => 'cursor'/s, 'replace with a slice where a partition is a foreign table');

target_is('a int4');
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE log (n serial, what text);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	  INSERT INTO log(what) VALUES (concat_ws(' ', tg_when, tg_op, tg_level, CASE WHEN tg_level = 'ROW' THEN coalesce(new.a, old.a) END));
	  IF tg_op = 'DELETE' THEN RETURN old; END IF;
	  IF tg_when = 'BEFORE' AND tg_level = 'ROW' THEN IF new.a = 2 THEN RETURN NULL; END IF; IF new.a > 100 THEN new.a = 100; END IF; END IF;
	  RETURN new; END $$;
	CREATE TRIGGER t1 BEFORE INSERT ON target FOR EACH STATEMENT EXECUTE FUNCTION note();
	CREATE TRIGGER t2 AFTER INSERT ON target FOR EACH STATEMENT EXECUTE FUNCTION note();
	CREATE TRIGGER t3 BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION note();
	CREATE TRIGGER t4 AFTER INSERT OR DELETE ON target FOR EACH ROW EXECUTE FUNCTION note();
	SQL
my %log;
for my $method ('cursor', 'copy')
{
	is(outcome(copy_sql('SELECT generate_series(1, 3) AS a UNION ALL SELECT 500', undef, target => "'target'", method => "'$method'"), 'target', 'TRUNCATE log'),
		'3: (1) (100) (3)', "triggers, $method: the rows");
	$log{$method} = $destination->safe_psql('postgres', 'SELECT what FROM log ORDER BY n');
}
is($log{copy}, $log{cursor}, 'triggers: the same ones fire in the same order');
is(outcome(copy_call('SELECT 1 AS a WHERE false', undef, target => "'target'"), 'target', 'TRUNCATE log')
	. $destination->safe_psql('postgres', 'SELECT string_agg(what, $$, $$ ORDER BY n) FROM log'), '0: BEFORE INSERT STATEMENT, AFTER INSERT STATEMENT', 'triggers: no rows');
as_cursor('replace: the row is judged as triggers left it', 'SELECT 500 AS a', qr/^1: \(100\)/, target => "'target'", mode => "'replace'", replace_where => "'a = 100'");
as_cursor('replace: and is outside then', 'SELECT 500 AS a', qr/^44000/, target => "'target'", mode => "'replace'", replace_where => "'a = 500'");
$destination->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION call_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM copy_incremental('src', 'SELECT 1 AS a', NULL, 1, target => 'log', method => 'copy'); RETURN new; END $$;
	CREATE TRIGGER t5 BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION call_again();
	SQL
as_cursor('a trigger that calls again', 'SELECT 1 AS a', qr/^55006: copy_incremental is already running/, target => "'target'");

target_is('a int4 PRIMARY KEY');
as_cursor('a key twice', 'SELECT 1 AS a UNION ALL SELECT 1', qr/^23505/, target => "'target'");
$destination->safe_psql('postgres', 'CREATE TABLE child (a int4 REFERENCES target)');
fails_with($destination, copy_call('SELECT 7 AS a', undef, target => "'child'"), '23503', qr/violates foreign key/, 'a foreign key');
is($destination->safe_psql('postgres', 'INSERT INTO target VALUES (1); INSERT INTO child VALUES (1);'
	. copy_call('SELECT generate_series(1, 2) AS a', undef, target => "'target'", mode => "'replace'") . '; SELECT count(*) FROM target'), "2\n2",
	'replace: rows that are referenced and come back');

$destination->safe_psql('postgres', <<~'SQL');
	DROP TABLE child;
	CREATE VIEW plain_view AS SELECT a FROM target;
	CREATE VIEW trigger_view AS SELECT a, 1 AS one FROM target;
	CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO target VALUES (new.a + new.one); RETURN new; END';
	CREATE TRIGGER instead INSTEAD OF INSERT ON trigger_view FOR EACH ROW EXECUTE FUNCTION instead();
	CREATE TABLE ruled (a int4);
	CREATE RULE doubled AS ON INSERT TO ruled DO ALSO INSERT INTO target VALUES (new.a + 100);
	SQL
is(outcome(copy_call('SELECT 5 AS a, 2 AS one', undef, target => "'trigger_view'"), 'target'), '1: (7)', 'a view with an INSTEAD OF trigger');
my $use_cursor = qr/method copy cannot write to ".*HINT:  Use method => 'cursor'/s;
fails_with($destination, copy_call('SELECT 5 AS a', undef, target => "'plain_view'"), '0A000', $use_cursor, 'a view without one');
fails_with($destination, copy_call('SELECT 5 AS a', undef, target => "'ruled'"), '0A000', $use_cursor, 'a rule');
target_is('id int, name text');
for my $case ([ "mode => 'skip'", qr/mode skip/ ], [ "mode => 'upsert'", qr/mode upsert/ ], [ "transform => 'SELECT * FROM batch'", qr/a transform/ ])
{
	my ($argument, $what) = @$case;
	fails_with($destination, "SELECT copy_incremental('src', 'TABLE countries', NULL, 10, target => 'target', method => 'copy', $argument)",
		'0A000', qr/method copy does not support $what.*HINT:  Use method => 'cursor'/s, "refused: $argument");
}
fails_with($destination, "CALL copy_incremental_batches('src', 'TABLE countries', NULL, 10, target => 'target', method => 'copy')",
	'0A000', qr/does not support copy_incremental_batches/, 'refused: commits between batches');
is($destination->safe_psql('postgres', 'CREATE TEMP TABLE here (LIKE target); CREATE UNLOGGED TABLE fast (LIKE target);'
	. copy_call('TABLE countries', undef, target => "'here'") . ';' . copy_call('TABLE countries', undef, target => "'fast'")), "7\n7", 'temporary and unlogged tables');

# --- who may

$destination->safe_psql('postgres', <<~SQL);
	CREATE ROLE etl LOGIN; GRANT EXECUTE ON FUNCTION copy_incremental TO etl; GRANT USAGE ON FOREIGN SERVER src TO etl;
	CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	GRANT INSERT (id) ON target TO etl;
	CREATE TABLE secured (LIKE target); ALTER TABLE secured ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON secured USING (true);
	GRANT INSERT, SELECT ON secured TO etl;
	SQL
for my $case ([ 'id', qr/^7: / ], [ 'id, name', qr/^42501: permission denied for table target/ ], [ 'name', qr/^42501/ ])
{
	my ($columns, $want) = @$case;
	as_cursor("INSERT (id), columns $columns", "SELECT $columns FROM countries", $want, target => "'target'", before => 'SET ROLE etl');
}
fails_with($destination, 'SET ROLE etl; ' . copy_call('TABLE countries', undef, target => "'secured'"), '0A000', $use_cursor, 'row security');
fails_with($destination, 'SET ROLE etl; SET row_security = off; ' . copy_call('TABLE countries', undef, target => "'secured'"), '42501', qr/row-level security/, 'row_security = off');
is(outcome(copy_call('SELECT 1 AS id', undef, target => "'secured'"), 'secured'), '1: (1,)', 'row security that does not apply');
fails_with($destination, 'SET default_transaction_read_only = on; ' . copy_call('TABLE countries', undef, target => "'target'"), '25006', qr/read-only/, 'a read-only transaction');

no_session_left($source, 'no session is left at the source');
done_testing();
