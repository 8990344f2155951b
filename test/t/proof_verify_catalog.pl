# Without replace_where, verify runs the query's condition here. It may use only what is built in, so that nothing planted
# runs as the caller; everything planted raises "hijacked" when it runs.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my $raise = q[LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$];
my $true = q[LANGUAGE sql AS 'SELECT true'];

on_both(q[CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN code AS text CHECK (VALUE <> ''); CREATE TYPE span AS RANGE (subtype = int4);
	CREATE TYPE place AS (city text, zip code); CREATE EXTENSION citext;
	CREATE TABLE own (id int PRIMARY KEY, at timestamptz, at_local timestamp, d date, note text, m mood, c code, w place, s span, j jsonb, a text[], i citext);
	CREATE TABLE kinds (kind text)], $source, $destination);
$source->safe_psql('postgres', <<~SQL);
	INSERT INTO own SELECT g, timestamptz '2018-07-29 00:00+00' + g * interval '1 hour', timestamp '2018-07-29' + g * interval '1 hour',
	  date '2018-07-29' + g / 24, CASE WHEN g % 2 = 0 THEN 'even' ELSE 'odd' END, (CASE WHEN g % 2 = 0 THEN 'ok' ELSE 'sad' END)::mood, 'x' || g % 2,
	  ROW('city', g)::place, span(g, g + 5), jsonb_build_object('k', g % 2), ARRAY['n' || g % 2], 'Even' FROM generate_series(0, 47) AS g;
	INSERT INTO kinds VALUES ('even');
	CREATE FUNCTION good(int) RETURNS bool $true; CREATE FUNCTION only_there(int) RETURNS bool $true; CREATE FUNCTION abs(text) RETURNS bool $true;
	CREATE FUNCTION lower(mood) RETURNS text LANGUAGE sql AS 'SELECT 1';
	CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq); CREATE DOMAIN few AS int; CREATE TYPE pair AS (a few);
	CREATE TYPE secret AS ENUM ('a'); CREATE CAST (secret AS int) WITH INOUT AS IMPLICIT; CREATE TABLE stray (id int); CREATE AGGREGATE most(int) (SFUNC = int4larger, STYPE = int);
	CREATE COLLATION mine (provider = icu, locale = 'und')
	SQL

# What mallory plants in public, where she may create objects, and which comes first on the caller's search_path.
$destination->safe_psql('postgres', <<~SQL);
	INSERT INTO kinds VALUES ('even');
	CREATE ROLE mallory; GRANT CREATE ON SCHEMA public TO mallory; SET ROLE mallory; SET check_function_bodies = off;
	CREATE FUNCTION good(int) RETURNS bool $raise; CREATE FUNCTION abs(text) RETURNS bool $raise; CREATE FUNCTION lower(mood) RETURNS text $raise;
	CREATE FUNCTION same(int, int) RETURNS bool $raise; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same);
	CREATE FUNCTION later(timestamptz, timestamptz) RETURNS bool $raise; CREATE OPERATOR public.>= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = later);
	CREATE FUNCTION equal(text, text) RETURNS bool $raise; CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = equal);
	CREATE DOMAIN few AS int CHECK (good(VALUE)); CREATE TYPE pair AS (a few); CREATE DOMAIN public.text AS pg_catalog.text CHECK (abs(VALUE));
	CREATE TYPE secret AS ENUM ('a'); CREATE FUNCTION tell(secret) RETURNS int $raise; CREATE CAST (secret AS int) WITH FUNCTION tell AS IMPLICIT;
	CREATE FUNCTION step(int, int) RETURNS int $raise; CREATE AGGREGATE most(int) (SFUNC = step, STYPE = int);
	CREATE VIEW stray AS SELECT 1 AS id WHERE good(1);
	CREATE COLLATION mine (provider = icu, locale = 'und');
	SQL
my $path = 'SET search_path = public, pg_catalog; ';
fails_with($destination, "$path SELECT 'x'::pg_catalog.text = 'x'", 'P0001', qr/hijacked/, 'an operator lies in wait');

my $day = 'at >= $1 AND at < $2';
my $unclear = qr/could not tell the window's rows in target public.own/;
for my $case (
	[ 'good(1)', 'function good', 'a planted function' ], [ 'public.good(id)', 'function public.good', 'by its schema' ],
	[ 'only_there(id)', 'function only_there', 'a function of the source alone' ], [ 'abs(note)', 'function abs', 'a planted overload' ],
	[ 'lower(m) IS NOT NULL', 'function lower', 'a planted overload for the type of a column' ],
	[ '1 === 1', 'operator does not exist: integer === integer', 'a planted operator' ], [ 'id OPERATOR(public.===) 1', 'operator public.===', 'by its schema' ],
	[ 'id OPERATOR(public.===) ANY (ARRAY[1])', 'operator public.===', 'with ANY' ],
	[ q['1'::few = 1], 'type "few"', 'a planted domain' ], [ q[id::public.few = 1], 'type public.few', 'by its schema' ],
	[ q['(1)'::public.pair IS NOT NULL], 'type public.pair', 'a composite type, whose input checks the domain' ],
	[ q['{1}'::public.few[] IS NOT NULL], 'type public.few', 'an array, whose input checks the domain' ],
	[ q[public.few('1') = 1], 'function public.few', 'a cast to it as a function' ],
	[ q['a'::public.secret = 1], 'function public.tell', 'a planted cast' ], [ q['a'::public.secret::int = 1], 'function public.tell', 'an explicit one' ],
	[ 'id <= (SELECT most(k.id) FROM own AS k)', 'function most', 'a planted aggregate in a subquery' ],
	[ 'id IN (SELECT id FROM stray)', 'relation public.stray of role mallory', 'a planted view' ],
	[ 'id IN (WITH x AS (SELECT public.good(1)) SELECT 1 FROM x)', 'function public.good', 'a function in WITH' ],
	[ 'EXISTS (SELECT FROM public.good(1))', 'function public.good', 'a function in FROM' ],
	[ q[note COLLATE public.mine = 'x'], 'collation mine', 'a collation' ],
	[ q[i = 'even'], 'cast from public.citext to', 'an operator of an extension, which is another one here' ],
	[ q[query_to_xml('SELECT public.good(1)', true, true, '') IS NOT NULL], 'function pg_catalog.query_to_xml', 'a text that is run' ])
{
	my ($condition, $named, $name) = @$case;
	my @call = ("SELECT * FROM own WHERE $day AND $condition", '2018-07-29');
	for my $sql (copy_sql(@call, verify => 'true'), look_sql('verify', @call))
	{
		fails_with($destination, "SET search_path = public, pg_catalog; $sql", '0A000', qr/$unclear.*DETAIL:  [^\n]*(?:$named).*HINT:  Pass replace_where/s, "refused: $name");
	}
}
is($destination->safe_psql('postgres', 'SELECT (SELECT count(*) FROM own), (SELECT count(*) FROM copy_incremental_runs)'), '0|0', 'refused: nothing is loaded');
my @refused = ("SELECT * FROM own WHERE $day AND good(1)", '2018-07-29');
fails_with($destination, define_job('own', $refused[0], first_day => "'2018-07-29'", verify => 'true') . "; SELECT copy_incremental_start('own', '2018-07-29')", '0A000', $unclear, 'start refuses it at once');

# The caller's own slice runs as the caller wrote it, and the source runs what it has.
is($destination->safe_psql('postgres', copy_sql("SELECT * FROM own WHERE $day AND only_there(id) AND good(id)", '2018-07-29', time_zone => "'UTC'", verify => 'true',
	replace_where => qq['$day'])), 24, 'replace_where: verified');
$destination->safe_psql('postgres', 'TRUNCATE own');

# Ordinary queries verify, also where operators are planted: rows, and the day's part of them.
my @verified = split /\n/, <<~'LIST';
	24 $day
	24 at::date = date '{}'
	24 at >= '{start}' AND at < '{end}'
	24 at_local >= $1 AND at_local < $2
	24 d = $1
	24 d = '{}'
	24 at >= $1::timestamptz AND at < $1::timestamptz + interval '1 day'
	24 date_trunc('day', at) = $1
	24 (at AT TIME ZONE 'UTC')::date = $1
	24 to_char(at, 'YYYY-MM-DD') = '{}'
	25 at BETWEEN $1 AND $2
	3 $day AND id IN (1, 2, 3)
	12 $day AND note IN ('even', 'none')
	12 $day AND note LIKE 'e%' AND note !~ 'odd'
	12 $day AND note ILIKE 'E%'
	12 $day AND note SIMILAR TO 'e%'
	12 $day AND (j->>'k')::int = 1
	12 $day AND j @> '{"k": 1}'
	24 $day AND j ? 'k'
	12 $day AND j['k'] = '1'
	12 $day AND m = 'ok'
	24 $day AND m IN ('ok', 'sad')
	12 $day AND m > 'sad'
	12 $day AND m = 'ok'::public.mood
	12 $day AND m::text = 'ok'
	12 $day AND c = 'x1'
	24 $day AND c IN ('x0', 'x1')
	24 $day AND coalesce(c, '') <> ''
	12 $day AND c = 'x1'::public.code
	1 $day AND (w).zip = '7'
	1 $day AND w = '(city,7)'::public.place
	5 $day AND s @> 7
	2 $day AND s && '[1,2)'
	2 $day AND s && '[1,2)'::public.span
	24 $day AND i IS NOT NULL
	24 $day AND i::text = 'Even'
	24 $day AND i::text COLLATE "C" = 'Even'
	12 $day AND 'n1' = ANY (a)
	12 $day AND a && ARRAY['n1']
	12 $day AND CASE WHEN id % 2 = 0 THEN true ELSE note IS DISTINCT FROM 'odd' END
	1 $day AND (id, note) = (2, 'even')
	2 $day AND (id, note) < (2, 'even')
	6 $day AND greatest(id, 5) = nullif(5, 6)
	24 $day AND at < now() AND at < current_timestamp
	12 $day AND length(note) = 3
	24 $day AND id <= (SELECT max(k.id) FROM own AS k)
	12 $day AND note IN (SELECT kind FROM kinds)
	12 $day AND note IN (SELECT kind FROM public.kinds)
	12 $day AND EXISTS (SELECT FROM kinds AS k WHERE k.kind = own.note)
	12 $day AND note IN (WITH kinds AS (SELECT 'odd' AS kind) SELECT kind FROM kinds)
	4 $day AND id IN (SELECT generate_series(0, 3))
	2 $day AND id IN (VALUES (1), (2))
	1 $day AND own.id = 1 -- a comment
	12 $day AND note = 'even' ORDER BY note, id DESC
	LIST
for my $line (@verified)
{
	my ($rows, $condition) = $line =~ /^(\d+) (.*)/;
	$condition =~ s/\$day/$day/;
	my @call = ("SELECT * FROM own WHERE $condition", '2018-07-29', time_zone => "'UTC'");
	my $verify = look_sql('verify', @call);
	is($destination->safe_psql('postgres', "BEGIN; $path" . copy_sql(@call, verify => 'true') . "; $verify; ROLLBACK"),
		"$rows\nt|$rows|$rows|0|0|0", "verified: $condition");
}
is($destination->safe_psql('postgres', "BEGIN; $path" . copy_sql('TABLE own', undef, verify => 'true') . '; ROLLBACK'), 48, 'verified: TABLE');
is($destination->safe_psql('postgres', "BEGIN; $path" . copy_sql("SELECT id, at FROM ONLY public.own WHERE $day", '2018-07-29', time_zone => "'UTC'", verify => 'true') . '; ROLLBACK'), 24,
	'verified: a schema, and ONLY');

# The columns of the query are those that the caller must be able to read.
$destination->safe_psql('postgres', "CREATE ROLE etl; GRANT SELECT (id, at) ON own TO etl; GRANT EXECUTE ON FUNCTION copy_incremental_verify TO etl;
	GRANT USAGE ON FOREIGN SERVER src TO etl; CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password')");
for my $condition (' WHERE $1::date < $2::date', " WHERE $day")
{
	like($destination->safe_psql('postgres', look_sql('verify', "SELECT id, at FROM own$condition",
		'2018-07-29', key_columns => q['{id}'], owner => q['etl'::regrole], before => 'SET ROLE etl')), qr/^f\|\d+\|0\|/, "privileges on two columns: query$condition");
}

# A target that is a view runs its own functions, as for any reader.
$destination->safe_psql('postgres', q[CREATE FUNCTION kept(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 >= 0'; CREATE TABLE below (id int, at timestamptz);
	CREATE VIEW seen AS SELECT * FROM below WHERE kept(id)]);
$source->safe_psql('postgres', 'CREATE VIEW seen AS SELECT id, at FROM own');
is($destination->safe_psql('postgres', copy_sql("SELECT * FROM seen WHERE $day", '2018-07-29', time_zone => "'UTC'", verify => 'true')), 24, 'verified: a view');

# Names of relations as text depend on search_path.
on_both('CREATE TABLE named (id int PRIMARY KEY, r regclass); CREATE TABLE twin ()', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO named VALUES (1, 'twin')]);
is($destination->safe_psql('postgres', copy_sql('SELECT * FROM named', undef, verify => 'true')), 1, 'regclass: verified without a condition');
fails_with($destination, look_sql('verify', 'SELECT * FROM named WHERE id > 0', undef), '0A000', qr/column "r" depends on search_path.*Pass replace_where/s,
	'regclass: refused with one');
is($destination->safe_psql('postgres', look_sql('verify', 'SELECT * FROM named WHERE id > 0', undef, replace_where => q['id > 0'])), 't|1|1|0|0|0',
	'regclass: replace_where');
no_session_left($source, 'no session is left at the source');
done_testing();
