# create_target: the table that a job or a call creates from what the source says, and the statement that an error shows otherwise.
use strict;
use warnings;

use Sessions;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();

sub results { return one_line($destination, 'default', @_); }
sub terse { return results(@_) =~ s/ (?:DETAIL|HINT|CONTEXT):  .*//r; }
my %window = (window_column => "'at'", first_day => "'2018-07-28'", time_zone => "'UTC'", create_target => 'true');
sub job { my ($name, $query, @more) = @_; return define_job($name, $query, %window, @more); }
# As pg_dump writes it, without names of constraints and indexes.
sub shape
{
	my ($table) = @_;
	return results("SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = \$\$$table\$\$::regclass AND attnum > 0",
		"SELECT string_agg(regexp_replace(pg_get_indexdef(indexrelid), ' INDEX .* USING ', ' '), ', ' ORDER BY indisprimary DESC) FROM pg_index WHERE indrelid = \$\$$table\$\$::regclass");
}

$source->safe_psql('postgres', <<'SQL');
CREATE SCHEMA shop;
CREATE TYPE shop.status AS ENUM ('new', 'paid');
CREATE TYPE shop.pair AS (a int, b int);
CREATE DOMAIN shop.email AS varchar(40) CHECK (VALUE LIKE '%@%');
CREATE DOMAIN shop.tags AS text[];
CREATE DOMAIN shop.twice AS shop.email;
CREATE TYPE shop."integer" AS ENUM ('x');
CREATE TYPE shop.span AS RANGE (subtype = float8);
CREATE TABLE shop.sale (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz(3) NOT NULL DEFAULT now(), "Na""me' x" varchar(20), price numeric(10,2) NOT NULL,
	flags bit(3), c char, blank character(5), during interval day to second(2), status shop.status, statuses shop.status[], mail shop.email, mails shop.email[], twice shop.twice, tags shop.tags,
	pair shop.pair, i shop."integer", span shop.span, twofold numeric GENERATED ALWAYS AS (price * 2) STORED, "select" int DEFAULT 7, dead int, j jsonb, ats timestamp(0)[]);
ALTER TABLE shop.sale DROP dead;
COMMENT ON TABLE shop.sale IS 'It''s \ $$ a "sale"; DROP TABLE x;';
COMMENT ON COLUMN shop.sale."Na""me' x" IS E'line\n2';
INSERT INTO shop.sale (at, "Na""me' x", price, status, statuses, mail, mails, twice, tags, pair, i, span, flags) SELECT '2018-07-28 10:00+00', 'n' || g, g, 'paid', '{new,paid}', 'a@b', '{a@b}', 'a@b', '{t}', row(1, 2)::shop.pair, 'x', '[1,2)', '101' FROM generate_series(1, 5) AS g;
CREATE VIEW shop.seen AS SELECT id, at, status, mail FROM shop.sale;
COMMENT ON VIEW shop.seen IS 'seen';
CREATE TABLE part (id int, at date, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
CREATE TABLE part_1 PARTITION OF part DEFAULT;
INSERT INTO part VALUES (1, '2018-07-28');
CREATE TABLE base (id int PRIMARY KEY, at date); CREATE TABLE child () INHERITS (base);
CREATE TABLE spare (id int PRIMARY KEY, at date);
INSERT INTO spare VALUES (1, '2018-07-28');
SQL

# Types that do not exist here, and one name that means another type here.
results('CREATE SCHEMA shop; CREATE TYPE shop."integer" AS (x int)');
my $sale = 'SELECT * FROM shop.sale';
my $said = results(job('sale', $sale));
like($said, qr/^NOTICE:  table shop\.sale, the target of job "sale", was created DETAIL:  This database does not have the types of these columns: status: shop\.status becomes text, statuses: shop\.status\[\] becomes text\[\], mail: shop\.email becomes character varying\(40\), mails: shop\.email\[\] becomes character varying\(40\)\[\], .*i: shop\.integer becomes text and 1 more\.$/, 'types that do not exist: a NOTICE') or diag($said);
my $columns = q{id bigint NOT NULL, at timestamp(3) with time zone NOT NULL, Na"me' x character varying(20), price numeric(10,2) NOT NULL, flags bit(3), c character(1), blank character(5), during interval day to second(2)};
my $rest = q{twofold numeric, select integer, j jsonb, ats timestamp(0) without time zone[] CREATE UNIQUE btree (id), CREATE btree (at)};
is(shape('shop.sale'), "$columns, status text, statuses text[], mail character varying(40), mails character varying(40)[], twice character varying(40), tags text[], pair text, i text, span text, $rest", 'types that do not exist: base types, no default, nothing generated');
is(results("SELECT obj_description('shop.sale'::regclass, 'pg_class'), (SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'shop.sale'::regclass AND attname LIKE 'Na%')"), q{It's \ $$ a "sale"; DROP TABLE x;|line 2}, 'comments are texts');
is(results(q[SELECT copy_incremental_run('sale', '2018-07-28')]), '5', 'the first run');
same_rows($source, $destination, 'shop.sale', 'rows');
is(results(q[SELECT matches FROM copy_incremental_verify('sale', '2018-07-28')]), 't', 'verify');

# Types that do.
results('DROP TABLE shop.sale; SELECT copy_incremental_drop_job(\'sale\'); CREATE TYPE shop.status AS ENUM (\'paid\', \'late\', \'new\')', 'CREATE DOMAIN shop.email AS varchar(40)', 'CREATE DOMAIN shop.tags AS text[]', 'CREATE SCHEMA other', 'CREATE DOMAIN other.twice AS varchar(99)', 'CREATE DOMAIN shop.twice AS text',
	'CREATE TYPE other.span AS RANGE (subtype = float8)');
like(terse('SET standard_conforming_strings = off; SET search_path = public, other', job('sale', $sale)), qr/^NOTICE:  table shop\.sale, the target of job "sale", was created/, 'types that exist');
is(shape('shop.sale'), "$columns, status shop.status, statuses shop.status[], mail shop.email, mails shop.email[], twice shop.email, tags shop.tags, pair text, i text, span other.span, $rest", 'types that exist: of the same kind, with all labels, over the same type');
is(results(q[SELECT copy_incremental_run('sale', '2018-07-28')]), '5', 'types that exist: runs');
same_rows($source, $destination, 'shop.sale', 'types that exist');

# Other queries.
for my $case (
	[ 'a view', 'SELECT * FROM shop.seen', 'shop.seen', 'id bigint, at timestamp(3) with time zone, status shop.status, mail shop.email CREATE btree (at)' ],
	[ 'a partitioned table', 'SELECT * FROM part', 'part', 'id integer NOT NULL, at date NOT NULL CREATE UNIQUE btree (at, id)' ],
	[ 'expressions and other names', q{SELECT id AS key, upper(mail) AS mail, at, 1 AS one, NULL AS nothing, 'x' AS x, row(1, 2) AS r, ARRAY[row(1)] AS rs FROM shop.sale}, 'shop.other', 'key bigint NOT NULL, mail text, at timestamp(3) with time zone NOT NULL, one integer, nothing text, x text, r text, rs text CREATE UNIQUE btree (key), CREATE btree (at)' ],
	[ 'a part of the key', 'SELECT at FROM part', 'only_at', 'at date NOT NULL CREATE btree (at)' ],
	[ 'an outer join', 'SELECT s.price, p.at FROM part AS p LEFT JOIN shop.sale AS s ON s.id = p.id', 'joined', 'price numeric(10,2), at date CREATE btree (at)' ],
	[ 'groups', 'SELECT id, at, count(*) FROM part GROUP BY ROLLUP (id), at', 'grouped', 'id integer, at date, count bigint CREATE btree (at)' ],
	[ 'inheritance', 'SELECT * FROM base', 'base', 'id integer, at date CREATE btree (at)' ],
	[ 'key_columns', 'SELECT * FROM shop.seen', 'keyed', 'id bigint NOT NULL, at timestamp(3) with time zone, status shop.status, mail shop.email CREATE UNIQUE btree (id), CREATE btree (at)', mode => "'upsert'", key_columns => "'{id}'" ],
	[ 'a transform', 'SELECT * FROM shop.seen', '"Trans"', 'at timestamp with time zone, n numeric(5,2), mail character varying CREATE btree (at)', transform => q['SELECT at, id::numeric(5,2) AS n, mail FROM batch'] ])
{
	my ($name, $query, $table, $shape, @more) = @$case;
	my $said = terse(job($name, $query, target => "'$table'", @more));
	like($said, qr/^NOTICE:  table [\w."]+, the target of job "\Q$name\E", was created$/, "$name: created") or diag($said);
	is(shape($table), $shape, "$name: columns");
	is(results(qq[SELECT copy_incremental_run('$name', '2018-07-28')]) =~ s/WARNING.*//r, $name =~ /inheritance/ ? '0' : $name =~ /part|join/ ? 1 : $name =~ /groups/ ? 2 : 5, "$name: runs");
}

# Without the option.
$destination->safe_psql('postgres', 'DROP TABLE shop.sale');
my %without = (%window, create_target => 'false');
$said = fails_with($destination, define_job('none', $sale, %without), '42P01', qr/target of job "none", does not exist/, 'without the option: an error');
my ($script) = $said =~ /HINT:  .*create_target => true to have it created, or create it:\n(.*;)\nCONTEXT/s;
like($said, qr/CREATE INDEX ON shop\.sale \(at\);/, 'without the option: the hint has the statements');
$destination->safe_psql('postgres', $script);
is(shape('shop.sale'), "$columns, status shop.status, statuses shop.status[], mail shop.email, mails shop.email[], twice shop.email, tags shop.tags, pair text, i text, span text, $rest", 'without the option: the statements of the hint');
$destination->safe_psql('postgres', 'DROP TABLE shop.sale');
like(results(define_job('later', 'SELECT * FROM spare', %without, target => "'later'")), qr/WARNING:  .*CREATE TABLE public\.later \(     id integer NOT NULL,     at date,     PRIMARY KEY \(id\) \); CREATE INDEX/, 'a job that comes first: a WARNING with the statement');
is(results(q[SELECT item, value FROM copy_incremental_explain('later') WHERE item IN ('target', 'create target', 'error')]),
	'target|public.later create target|CREATE TABLE public.later (     id integer NOT NULL,     at date,     PRIMARY KEY (id) ); CREATE INDEX ON public.later (at); error|42P01: table public.later does not exist', 'explain prints it');
like(results(q[CALL copy_incremental_catch_up('later')]), qr/ERROR:  1 of \d+ windows of job "later" failed .*does not exist \(SQLSTATE 42P01\); \d+ windows not tried/, 'catch_up tries one window only');
results(define_job('later', 'SELECT * FROM spare', %window, target => "'later'", or_replace => 'true'));
is(shape('later'), 'id integer NOT NULL, at date CREATE UNIQUE btree (id), CREATE btree (at)', 'or_replace creates it');

# A new environment: the definition without the table. Explain says so before.
$destination->safe_psql('postgres', q[DROP TABLE later; UPDATE pgci_jobs SET target = '-' WHERE job = 'later']);
is(results(q[SELECT item, split_part(value, E'\n', 1) FROM copy_incremental_explain('later') WHERE item IN ('create target', 'error')]), 'create target|CREATE TABLE public.later (', 'explain: no error');
is(results(q[SELECT copy_incremental_wait(copy_incremental_start('later', '2018-07-28'))], 'SELECT * FROM later'), 't 1|2018-07-28NOTICE:  table public.later, the target of job "later", was created', 'a started run creates it');
is(results(q[SELECT target FROM copy_incremental_jobs WHERE job = 'later']), 'public.later', 'the job has it');
like(results('DROP TABLE later', q[SELECT copy_incremental_run('later', '2018-07-28')]), qr/ERROR:  table public\.later, the target of job "later", does not exist DETAIL:  It was dropped/, 'a target that was loaded and dropped is not created again');

# Calls.
is(terse(copy_sql('SELECT * FROM spare', '2018-07-28', window_column => "'at'", create_target => 'true')), '1NOTICE:  target table public.spare was created', 'a call');
is(shape('spare'), 'id integer NOT NULL, at date CREATE UNIQUE btree (id), CREATE btree (at)', 'a call: columns');
is(results(copy_sql('SELECT * FROM spare', undef, mode => "'replace'", create_target => 'true')), '1', 'a table that exists is used');
like(results('TRUNCATE part', 'SET search_path = pg_temp, other, public', copy_sql('SELECT * FROM part', undef, create_target => 'true') =~ s/copy_inc/public.copy_inc/r), qr/^1WARNING/, 'the table of search_path');
like(terse('SET search_path = pg_temp, other', copy_sql('SELECT * FROM part', undef, create_target => 'true') =~ s/copy_inc/public.copy_inc/r), qr/^1NOTICE:  target table other\.part was created/, 'no temporary table');
fails_with($destination, q[SET search_path = ''; ] . copy_sql('SELECT * FROM part', undef, create_target => 'true') =~ s/copy_inc/public.copy_inc/r, '3F000', qr/no schema has been selected/, 'no schema');
fails_with($destination, job('nowhere', 'SELECT * FROM spare', target => "'nowhere.spare'"), '3F000', qr/schema "nowhere" does not exist/, 'a schema that does not exist');

# 1,600 columns; more; names that a table cannot have.
my $wide = join ', ', map { "$_ AS \"a long name of a column, number $_\"" } 1 .. 1600;
$source->safe_psql('postgres', "CREATE TABLE wide AS SELECT date '2018-07-28' AS at, " . join ', ', map { "NULL::int AS c$_" } 1 .. 1599);
is(terse(job('wide', 'SELECT * FROM wide')), 'NOTICE:  table public.wide, the target of job "wide", was created', '1,600 columns');
is(results(q[SELECT copy_incremental_run('wide', '2018-07-28')]), '1', '1,600 columns: runs');
like(results(q[DROP TABLE wide], define_job('wide, too', "SELECT $wide", %without, window_column => 'NULL', window_size => 'NULL', target => "'wide'")), qr/^WARNING: .{400,900}\.\.\. column, number 159\d\D[^;]{300,800} \);/, "1,600 columns: the hint is short");
fails_with($destination, job('wider', "SELECT $wide, 1 AS more", window_column => 'NULL', window_size => 'NULL', target => "'wider'"), '54011', qr/tables can have at most 1600 columns/, '1,601 columns');
fails_with($destination, job('twice', q{SELECT 1 AS a, 2 AS a}, window_column => 'NULL', window_size => 'NULL', target => "'twice'"), '42701', qr/column "a" specified more than once/, 'a name twice');
fails_with($destination, job('xmin', q{SELECT xmin FROM spare}, window_column => 'NULL', window_size => 'NULL', target => "'xmin'"), '42701', qr/conflicts with a system column/, 'a system column');

# A role that may not create, and one that may.
$destination->safe_psql('postgres', q[CREATE ROLE etl LOGIN; GRANT USAGE ON FOREIGN SERVER src TO etl; SELECT copy_incremental_grant('etl'); CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password '] . $TwoServers::password . q['); GRANT USAGE ON SCHEMA shop, other TO etl; GRANT CREATE ON SCHEMA other TO etl; CREATE ROLE owner_only]);
is(results('SET ROLE etl', job('denied', 'SELECT * FROM spare', target => "'shop.denied'")) =~ s/ CONTEXT.*//r,
	'ERROR:  permission denied for schema shop DETAIL:  The target shop.denied does not exist and is to be created. HINT:  Run GRANT CREATE ON SCHEMA shop TO etl.', 'a schema in which the user may not create');
results('SET ROLE etl', define_job('allowed', 'SELECT * FROM spare', %without, target => "'shop.denied'"));
$destination->safe_psql('postgres', q[UPDATE pgci_jobs SET options = options || '{"create_target": true}' WHERE job = 'allowed']);
is(results('SET ROLE etl', q[SELECT value FROM copy_incremental_explain('allowed') WHERE item = 'missing privilege']), 'GRANT CREATE ON SCHEMA shop TO etl', 'explain names the privilege');
is(terse('SET ROLE etl', job('created', 'SELECT * FROM spare', target => "'other.created'"), "SELECT tableowner FROM pg_tables WHERE tablename = 'created'"), 'etlNOTICE:  table other.created, the target of job "created", was created', 'the caller owns the table');

# A source that chooses names to be misread: everything is quoted, messages have no control characters, and no type runs the code of
# a role that the caller does not trust.
$source->safe_psql('postgres', <<'SQL');
CREATE SCHEMA "s"";'";
CREATE TYPE "s"";'"."text); DROP TABLE spare; --" AS ENUM ('a''b\', '"{},');
CREATE DOMAIN "s"";'"."pg_catalog.int4" AS int;
CREATE DOMAIN shop.trap AS int;
CREATE TABLE "s"";'".odd (at date, "x int); DROP TABLE spare; --" int NOT NULL, "line
break" int, U&"\001B[31m" int, "%s%n%I" int, "$1 {} $x$" int, "oid" int, e "s"";'"."text); DROP TABLE spare; --", d "s"";'"."pg_catalog.int4", t shop.trap, PRIMARY KEY ("line
break", "x int); DROP TABLE spare; --"));
COMMENT ON COLUMN "s"";'".odd."%s%n%I" IS E'*/ \'\\ -- $q$ ; DROP TABLE spare';
INSERT INTO "s"";'".odd VALUES ('2018-07-28', 1, 2, 3, 4, 5, 6, E'a\'b\\', 7, 8);
SQL
$destination->safe_psql('postgres', q[CREATE ROLE mallory; GRANT CREATE, USAGE ON SCHEMA shop TO mallory; SET ROLE mallory; CREATE FUNCTION shop.spring(int) RETURNS bool LANGUAGE plpgsql AS $f$BEGIN RAISE 'sprung by %', current_user; END$f$; CREATE DOMAIN shop.trap AS int CHECK (shop.spring(VALUE))]);
my $odd = q[SELECT * FROM "s"";'".odd];
for my $role (qw(postgres etl))
{
	my $sql = define_job("odd $role", $odd, %window, target => qq['other."odd "" $role"'], create_target => 'false');
	my (undef, undef, $err) = $destination->psql('postgres', "SET ROLE $role; $sql");
	unlike($err, qr/[\x00-\x09\x0b-\x1f]/, "hostile names, $role: no control characters in the hint");
	is(results("SET ROLE $role", define_job("odd $role", $odd, %window, target => qq['other."odd "" $role"'])) =~ s/ DETAIL:.*//r, qq[NOTICE:  table other."odd "" $role", the target of job "odd $role", was created], "hostile names, $role: created");
	is(results("SET ROLE $role", qq[SELECT copy_incremental_run('odd $role', '2018-07-28')], 'RESET ROLE', qq[SELECT t FROM ONLY other."odd "" $role"], qq[SELECT string_agg(format_type(atttypid, atttypmod), ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'other."odd "" $role"'::regclass AND attnum > 7]), '1 8 text,integer,integer', "hostile names, $role: runs, and no foreign code");
	is(results(qq[SELECT string_agg(quote_ident(attname), ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'other."odd "" $role"'::regclass AND attnum > 0]),
		one_line($source, 'default', q[SELECT string_agg(quote_ident(attname), ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '"s"";''".odd'::regclass AND attnum > 0]), "hostile names, $role: the names");
}
is(results(q[SELECT count(*) FROM spare], q[SELECT col_description('other."odd "" etl"'::regclass, 5)]), q[1 */ '\ -- $q$ ; DROP TABLE spare], 'hostile names: nothing was executed');
$destination->safe_psql('postgres', q[SET ROLE etl; CREATE DOMAIN other.trap AS int]);
like(results('SET ROLE etl', q[SET search_path = other, public], define_job('own domain', $odd, %window, target => q['other.own']) =~ s/copy_inc/public.copy_inc/r, q[SELECT format_type(atttypid, -1) FROM pg_attribute WHERE attrelid = 'other.own'::regclass AND attname = 't']), qr/^trapNOTICE/, 'a domain of the caller is used');

# An enum of a role that the caller does not trust is no type of a column, nor is an array of it: its owner could drop the columns.
$source->safe_psql('postgres', <<'SQL');
CREATE SCHEMA app;
CREATE TYPE app.status AS ENUM ('new', 'paid');
CREATE TYPE app.span AS RANGE (subtype = int4, multirange_type_name = app.spans);
CREATE TABLE app.orders (at date PRIMARY KEY, s app.status, a app.status[], r app.span, m app.spans);
INSERT INTO app.orders VALUES ('2018-07-28', 'paid', '{new,paid}', '[1,3)', '{[1,3)}');
SQL
$destination->safe_psql('postgres', <<"SQL");
CREATE ROLE team; CREATE ROLE alice IN ROLE etl, team; CREATE USER MAPPING FOR alice SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
GRANT CREATE ON DATABASE postgres TO mallory;
SET ROLE mallory;
CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC;
CREATE TYPE app.status AS ENUM ('new', 'paid');
CREATE TYPE app.span AS RANGE (subtype = int4, multirange_type_name = app.spans);
SQL
sub types_of_orders
{
	my ($role) = @_;
	return terse("BEGIN; SET LOCAL ROLE $role; SET LOCAL search_path = public", job('orders', 'SELECT * FROM app.orders', target => "'other.orders'"),
		q[SELECT string_agg(format_type(atttypid, -1), ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'other.orders'::regclass AND attnum > 0; ROLLBACK]) =~ s/NOTICE.*//r;
}
# ALTER TYPE gives the new owner the multirange too, or, in older versions, not.
my $used = qr/^date app\.status app\.status\[\] app\.span (?:app\.spans|text)$/;
is(types_of_orders($_), 'date text text[] text text', "$_: types of mallory become text") for qw(etl postgres);
$destination->safe_psql('postgres', q[ALTER TYPE app.status OWNER TO team; ALTER TYPE app.span OWNER TO team]);
like(types_of_orders('alice'), $used, 'types of a role that the caller is a member of are used');
is(types_of_orders($_), 'date text text[] text text', "$_: and by nobody else") for qw(etl postgres);
$destination->safe_psql('postgres', q[ALTER TYPE app.status OWNER TO postgres; ALTER TYPE app.span OWNER TO postgres]);
like(types_of_orders('etl'), $used, 'types of a superuser are used');
$destination->safe_psql('postgres', q[ALTER TYPE app.status OWNER TO mallory; SET ROLE etl; CREATE TABLE other.followed (at date PRIMARY KEY)]);
is(terse('BEGIN; SET LOCAL ROLE etl', define_job('followed', 'SELECT at, s FROM app.orders', %window, target => "'other.followed'", on_new_column => "'add'"), q[SELECT copy_incremental_run('followed', '2018-07-28')],
	q[SELECT format_type(atttypid, -1) FROM pg_attribute WHERE attrelid = 'other.followed'::regclass AND attname = 's'; ROLLBACK]) =~ s/NOTICE.*//r, '1 text', 'on_new_column: the same');

# Tables of a group that do not exist yet, in one transaction; a key of which the source sends two rows.
stay_in_the_day();
my $today = $destination->safe_psql('postgres', q[SELECT (now() AT TIME ZONE 'UTC')::date - 1]);
$source->safe_psql('postgres', qq[CREATE TABLE g1 (id int PRIMARY KEY, at date); CREATE TABLE g2 (id int PRIMARY KEY, at date); INSERT INTO g1 VALUES (1, '$today'), (2, '$today'); INSERT INTO g2 TABLE g1]);
$destination->safe_psql('postgres', join '; ', map { define_job($_, "SELECT * FROM $_", %window, %{{ create_target => 'false', first_day => "'$today'", job_group => q['g'], target => "'$_'" }}) } qw(g1 g2));
like(results(q[CALL copy_incremental_catch_up(job_group => 'g', atomic => true)]), qr/ERROR:  .*does not exist/, 'a group: without the option');
$destination->safe_psql('postgres', q[UPDATE pgci_jobs SET options = options || '{"create_target": true}' WHERE job IN ('g1', 'g2')]);
like(results(q[CALL copy_incremental_catch_up(job_group => 'g', atomic => true)]), qr/NOTICE:  table public\.g1, the target of job "g1", was created.*NOTICE:  table public\.g2, the target of job "g2", was created/, 'a group: creates its tables');
is(results('SELECT count(*) FROM g1 JOIN g2 USING (id)', q[SELECT string_agg(job || ' ' || (ddl LIKE 'CREATE TABLE public.g_ (%')::text, ', ' ORDER BY job) FROM copy_incremental_runs WHERE status = 'succeeded' AND job LIKE 'g_'], q[SELECT sum(missing_windows) FROM copy_incremental_jobs WHERE job LIKE 'g_']), '2 g1 true, g2 true 0', 'a group: rows, the ledger, and nothing is missing');
$source->safe_psql('postgres', q[CREATE TABLE many (id int, at date); INSERT INTO many VALUES (1, '2018-07-28'), (1, '2018-07-28')]);
fails_with($destination, copy_sql('SELECT * FROM many', '2018-07-28', window_column => "'at'", create_target => 'true', mode => "'skip'", key_columns => "'{nothing}'"), '42703', qr/"nothing"/, 'a key column that does not exist');
fails_with($destination, job('many', 'SELECT * FROM many', target => "'many'", key_columns => "'{id}'", mode => "'upsert'", transform => q['SELECT id AS other FROM batch']), '42703', qr/./, 'a key column that the transform does not return');
is(results(q[SELECT to_regclass('many') IS NULL]), 't', 'and nothing was created');

# A transaction that rolls back, and two sessions at once.
is(terse('BEGIN', job('undone', 'SELECT * FROM spare', target => "'undone'"), 'ROLLBACK', q[SELECT to_regclass('undone') IS NULL, count(*) FROM copy_incremental_jobs WHERE job = 'undone']), 't|0NOTICE:  table public.undone, the target of job "undone", was created', 'a definition that is rolled back');
$destination->safe_psql('postgres', 'DROP TABLE base');
for my $end (qw(COMMIT ROLLBACK))
{
	my ($first, $second) = map { my ($session) = open_session($destination); $session } 1 .. 2;
	$first->query_safe("SET client_min_messages = error; BEGIN; " . copy_sql('SELECT * FROM base', undef, create_target => 'true'));
	start_call($second, copy_sql('SELECT * FROM base', undef, create_target => 'true'));
	ok(wait_until($destination, q[SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 79 AND NOT granted]), "two sessions, $end: the second waits");
	$first->query_safe($end);
	like($second->query_safe('SELECT 1'), qr/1/, "two sessions, $end: it goes on");
	is(shape('base'), 'id integer, at date', "two sessions, $end: one table");
	$destination->safe_psql('postgres', 'DROP TABLE base');
	$_->quit for $first, $second;
}

no_session_left($source, 'no session is left at the source');
done_testing();
