# The target: found by the name that the query reads, or given; and what it may not be.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(destination => "wal_level = replica\nmax_wal_senders = 2\nhot_standby = on\n");

$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE a (id int, name text);
	CREATE TABLE b (id int, other text);
	INSERT INTO a VALUES (1, 'one'), (2, 'two');
	INSERT INTO b VALUES (1, 'eins'), (3, 'drei');
	CREATE SCHEMA s;
	CREATE TABLE s.a AS SELECT 3 AS id, 'three' AS name;
	CREATE TABLE "Odd "".Name; é" AS TABLE a;
	CREATE VIEW seen AS SELECT id, name FROM a;
	CREATE TABLE parts (id int, name text) PARTITION BY LIST (id);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
	CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
	INSERT INTO parts TABLE a;
	CREATE TABLE ancestor (id int, name text);
	CREATE TABLE heir () INHERITS (ancestor);
	INSERT INTO heir TABLE a;
	CREATE TABLE hidden (id int, name text);
	INSERT INTO hidden TABLE a;
	ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
	CREATE POLICY first ON hidden USING (id = 1);
	CREATE TABLE only_here (id int);
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE a (id int, name text);
	CREATE TABLE b (id int, other text);
	CREATE SCHEMA s;
	CREATE TABLE s.a (id int, name text);
	CREATE TABLE "Odd "".Name; é" (id int, name text);
	CREATE TABLE seen (id int, name text);
	CREATE TABLE parts (id int, name text);
	CREATE TABLE ancestor (id int, name text);
	CREATE TABLE heir (id int, name text);
	CREATE TABLE hidden (id int, name text);
	CREATE TABLE c (id int, name text, other text);
	CREATE SEQUENCE seq;
	CREATE INDEX idx ON a (id);
	CREATE MATERIALIZED VIEW matview AS SELECT 1 AS id;
	CREATE VIEW fixed AS SELECT DISTINCT id FROM a;
	CREATE TYPE pair AS (id int, name text);
	CREATE TABLE toasted (id int, name text);
	SQL

# Found: the name that the query writes, in the schema that it writes, or along search_path.
sub lands
{
	my ($query, $table, $rows, $name, $before, $target) = @_;
	my $check = "SELECT count(*) FROM $table";
	$destination->safe_psql('postgres', "TRUNCATE $table");
	copies($destination, ($before // '') . copy_sql($query, undef, $target ? (target => "'$target'") : ()), $rows, $check, $rows, $name);
	return;
}
lands('SELECT * FROM a', 'public.a', 2, 'by name');
lands('SELECT * FROM public.a', 'public.a', 2, 'by schema and name');
lands('SELECT * FROM s.a', 's.a', 1, 'by another schema');
lands('SELECT * FROM public.a', 'public.a', 2, 'a written schema stands above search_path', 'SET search_path = s, public;');
lands('SELECT * FROM a', 's.a', 2, "without one this server's search_path finds the target", 'SET search_path = s, public;');
lands('SELECT * FROM A', 'public.a', 2, 'by name: case is folded');
lands('SELECT * FROM "Odd "".Name; é"', '"Odd "".Name; é"', 2, 'by a quoted name');
lands('SELECT x.id FROM a AS x', 'a', 2, 'by an aliased table');
lands('SELECT 1 + 0 AS id, name FROM a WHERE id IN (SELECT id FROM b)', 'a', 1, 'by one column; a subquery in WHERE is none');
lands('TABLE a', 'a', 2, 'by TABLE');
lands('WITH b AS (SELECT 1) SELECT * FROM a', 'a', 2, 'by a table beside WITH');
lands('WITH a AS (SELECT 1) SELECT * FROM public.a', 'a', 2, 'by a schema that WITH cannot mean');
lands('SELECT a.* FROM a JOIN b USING (id)', 'a', 1, 'a join needs the target', '', 'a');
lands('SELECT b.id, b.other FROM a, b WHERE a.id = b.id', 'b', 1, 'another join', '', 'b');
lands('SELECT a.id FROM a LEFT JOIN (b CROSS JOIN parts) ON true', 'a', 8, 'nested joins', '', 'a');
lands('SELECT * FROM seen', 'seen', 2, 'by a view');
lands('SELECT * FROM parts', 'parts', 2, 'by a partitioned table');
lands('SELECT * FROM ancestor', 'ancestor', 2, 'by a table with heirs');
lands('SELECT * FROM ONLY ancestor', 'ancestor', 0, 'by ONLY');
lands('SELECT * FROM a TABLESAMPLE system (100)', 'a', 2, 'by a sample');
lands('SELECT * FROM a', 'public.a', 2, 'a temporary table of that name is not meant',
	'CREATE TEMP TABLE a (id int, name text);');
lands('SELECT * FROM a', 'public.a', 2, 'nor one that search_path names first',
	'CREATE TEMP TABLE a (id int, name text); SET search_path = pg_temp, public;');

# Not found.
my @unclear = (
	[ 'SELECT a.id, b.other FROM a JOIN b USING (id)', 'columns of two tables', qr/come from several tables/ ],
	[ 'SELECT * FROM (SELECT * FROM a) AS x', 'a subquery', qr/FROM clause is not exactly one table/ ],
	[ 'SELECT * FROM (SELECT * FROM b) AS a', 'a subquery called as a table', qr/FROM clause is not exactly one table/ ],
	[ 'WITH a AS (SELECT * FROM b) SELECT * FROM a', 'WITH of that name', qr/FROM clause is not exactly one table/ ],
	[ 'WITH a AS (SELECT * FROM a) SELECT * FROM a', 'WITH of that name over the table', qr/FROM clause is not exactly one table/ ],
	[ 'WITH a AS (SELECT * FROM s.a) SELECT * FROM a', 'WITH of that name over another one', qr/FROM clause is not exactly one table/ ],
	[ 'SELECT x.* FROM a AS x, a AS y', 'a self join', qr/FROM clause is not exactly one table/ ],
	[ 'SELECT a.id, a.name FROM a, s.a AS z', 'two schemas', qr/FROM clause is not exactly one table/ ],
	[ 'SELECT a.* FROM a JOIN b USING (id)', 'a join of which one table is selected', qr/not exactly one table/ ],
	[ 'SELECT b.id, b.other FROM a, b WHERE a.id = b.id', 'another join', qr/not exactly one table/ ],
	[ 'SELECT a.id FROM a LEFT JOIN (b CROSS JOIN parts) ON true', 'nested joins', qr/not exactly one table/ ],
	[ 'SELECT a.* FROM a, (SELECT id FROM b) AS x', 'a table beside a subquery', qr/not exactly one table/ ],
	[ 'WITH x AS (SELECT id FROM b) SELECT a.* FROM a, x', 'a table beside WITH', qr/not exactly one table/ ],
	[ 'SELECT a.* FROM a, LATERAL (VALUES (a.id)) AS x', 'VALUES beside the table', qr/not exactly one table/ ],
	[ 'SELECT a.* FROM a, generate_series(1, 2)', 'a function beside the table', qr/not exactly one table/ ],
	[ 'SELECT id FROM a UNION ALL SELECT id FROM b', 'UNION', qr/HINT:  Pass target/ ],
	[ 'SELECT count(*) AS id FROM a', 'expressions alone', qr/None of the query's columns comes from a table/ ],
	[ 'SELECT g AS id FROM generate_series(1, 2) AS g', 'a function', qr/None of/ ],
	[ 'VALUES (1)', 'VALUES', qr/None of/ ]);
for my $case (@unclear)
{
	my ($query, $name, $detail) = @$case;
	my $err = fails_with($destination, copy_sql($query, undef), '42P09', $detail, "unclear: $name");
	like($err, qr/HINT:  Pass target => 'schema\.table'\./, "unclear: $name: the hint");
}
fails_with($destination, copy_sql('SELECT * FROM only_here', undef), '42P01',
	qr/target table public\.only_here does not exist.*HINT:  Pass target => .*CREATE TABLE public\.only_here/s, 'missing here');
fails_with($destination, 'SET search_path = s; ' . copy_sql('SELECT * FROM b', undef) =~ s/copy_inc/public.copy_inc/r, '42P01', qr/target table s\.b does not exist/,
	'not on the search_path');
fails_with($destination, copy_sql('SELECT oid FROM pg_class', undef), '42P01', qr/target table public\.pg_class does not exist/,
	'a catalog is never found');
fails_with($destination, copy_sql('SELECT oid FROM pg_catalog.pg_class', undef), '42P01', qr/target table pg_catalog\.pg_class does not exist/,
	'nor by its schema');

# Columns.
my $err = fails_with($destination, copy_sql('SELECT id, other AS nmae FROM b', undef, target => "'b'"), '42804',
	qr/source column "nmae" does not exist in target public\.b/, 'a column that the target lacks');
like($err, qr/^DETAIL:  Source: id integer, nmae text\. Target: id integer, other text\.$/m, 'both lists are shown');
like($err, qr/^HINT:  Columns map by name\./m, 'and what to do');
fails_with($destination, copy_sql('SELECT id, id + 1 AS id FROM a', undef), '42701', qr/returns the column "id" more than once.*HINT:/s,
	'a column twice');
fails_with($destination, copy_sql('SELECT * FROM a, b WHERE a.id = b.id', undef, target => "'c'"), '42701', qr/column "id" more/,
	'a column of two tables');
fails_with($destination, copy_sql(q[SELECT now() AS id], undef, target => "'a'"), '42804',
	qr/column "id" is of type integer but expression is of type timestamp with time zone/, 'no assignment cast');

# Kinds of relations.
my $toast = $destination->safe_psql('postgres', q[SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 'toasted']);
for my $case (
	[ "'seq'", '42809', qr/cannot copy into "seq".*a sequence.*HINT:  The target must be a table/s, 'a sequence' ],
	[ "'idx'", '42809', qr/cannot copy into "idx".*an index/s, 'an index' ],
	[ "'matview'", '42809', qr/cannot copy into "matview".*a materialized view/s, 'a materialized view' ],
	[ "'fixed'", '42809', qr/cannot copy into "fixed".*not updatable/s, 'a view that takes no inserts' ],
	[ "'pair'", '42809', qr/cannot copy into "pair".*a composite type/s, 'a composite type' ],
	[ "'pg_class'", '42501', qr/"pg_class" is a system catalog/, 'a catalog' ],
	[ "'pg_authid'", '42501', qr/"pg_authid" is a system catalog/, 'a shared catalog' ],
	[ "'pg_stat_activity'", '42501', qr/system catalog/, 'a system view' ],
	[ "'information_schema.sql_features'", '42501', qr/system catalog/, 'information_schema' ],
	[ "'$toast'", '42501', qr/system catalog/, 'a toast table' ],
	[ '0', '42P01', qr/argument "target" is not a table.*HINT:/s, 'no relation' ])
{
	my ($target, $sqlstate, $message, $name) = @$case;
	fails_with($destination, 'SET allow_system_table_mods = on; ' . copy_sql('SELECT 1 AS id', undef, target => $target),
		$sqlstate, $message, "not a target: $name");
}
my $other = $destination->background_psql('postgres');
$other->query_safe('CREATE TEMP TABLE theirs (id int)');
my $theirs = $destination->safe_psql('postgres', q[SELECT oid FROM pg_class WHERE relname = 'theirs']);
fails_with($destination, copy_sql('SELECT 1 AS id', undef, target => $theirs), '0A000',
	qr/cannot copy into temporary tables of other sessions/, "not a target: another session's temporary table");
$other->quit;

# Rights.
$destination->safe_psql('postgres', <<~'SQL');
	CREATE ROLE caller;
	GRANT EXECUTE ON FUNCTION copy_incremental TO caller;
	GRANT USAGE ON FOREIGN SERVER src TO caller;
	CREATE USER MAPPING FOR caller SERVER src OPTIONS (user 'etl_reader', password 'S3CRET-marker');
	CREATE SCHEMA closed;
	CREATE TABLE closed.a (id int, name text);
	GRANT INSERT ON closed.a TO caller;
	TRUNCATE a;
	SQL
my $as = 'SET ROLE caller; ';
fails_with($destination, $as . copy_sql('SELECT * FROM a', undef), '42501', qr/permission denied for table a/, 'no right to insert');
fails_with($destination, $as . copy_sql('SELECT * FROM a', undef, target => "'closed.a'"), '42501',
	qr/permission denied for schema closed/, 'no USAGE on the schema');
my $closed = $destination->safe_psql('postgres', q[SELECT 'closed.a'::regclass::oid]);
fails_with($destination, $as . copy_sql('SELECT * FROM a', undef, target => $closed), '42501',
	qr/permission denied for schema closed/, 'no USAGE on the schema, target by OID');
$destination->safe_psql('postgres', 'GRANT INSERT (id) ON a TO caller');
fails_with($destination, $as . copy_sql('SELECT * FROM a', undef), '42501', qr/permission denied for table a/,
	'no right to insert one of the columns');
copies($destination, $as . copy_sql('SELECT id FROM a', undef), 2, 'SELECT count(id), count(name) FROM a', '2|0',
	'the right to insert these columns is enough');

# Transactions that may not write.
fails_with($destination, 'BEGIN READ ONLY; ' . copy_sql('SELECT * FROM a', undef), '25006',
	qr/cannot execute copy_incremental\(\) in a read-only transaction/, 'a read-only transaction');
$destination->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($destination, 'base', has_streaming => 1);
$standby->start;
fails_with($standby, copy_sql('SELECT * FROM a', undef), '25006',
	qr/cannot call copy_incremental\(\) during recovery.*HINT:  Run it on the primary/s, 'a hot standby');
$standby->stop;

# Row security of the source hides no rows in silence.
fails_with($destination, copy_sql('SELECT * FROM hidden', undef), '42501',
	qr/query would be affected by row-level security policy for table "hidden".*on source server src/s, 'row security at the source');
is($destination->safe_psql('postgres', 'SELECT count(*) FROM hidden'), 0, 'row security at the source: nothing copied');
lands('SELECT * FROM hidden', 'hidden', 1, 'row security at the source: allowed by the setting',
	'SET copy_incremental.source_row_security = on;');
$destination->safe_psql('postgres', 'GRANT INSERT ON hidden TO caller');
fails_with($destination, $as . 'SET copy_incremental.source_row_security = on; ' . copy_sql('SELECT * FROM hidden', undef), '42501',
	qr/permission denied to set parameter.*query would be affected by row-level security/s,
	"row security at the source: the setting is a superuser's, also where it is set before the library is loaded");

no_session_left($source, 'no session is left at the source');
done_testing();
