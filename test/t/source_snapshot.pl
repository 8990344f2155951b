# The exported snapshot of a job group: sources that lie about it, a standby, and a pooler.
use strict;
use warnings;

use PgBouncer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "timezone = 'UTC'\nwal_level = replica\nmax_wal_senders = 4\nhot_standby = on\n", destination => "timezone = 'UTC'\nmax_worker_processes = 20\n");
my $password = $TwoServers::password;
sub value { my ($sql) = @_; return $destination->safe_psql('postgres', $sql) }
sub at_source { my ($sql) = @_; return $source->safe_psql('postgres', $sql) }
sub sql { return one_line($destination, 'verbose', @_) =~ s/in \d+\.\d s/in N s/gr }

on_both('CREATE TABLE a (id bigint PRIMARY KEY, at timestamptz NOT NULL); CREATE TABLE b (id bigint PRIMARY KEY REFERENCES a, at timestamptz NOT NULL)', $source, $destination);
at_source("INSERT INTO a SELECT n, timestamptz '2018-07-28 00:00+00' + n * interval '1 hour' FROM generate_series(0, 47) AS n; INSERT INTO b TABLE a");
my %common = (window_column => "'at'", first_day => "'2018-07-28'", time_zone => "'UTC'", lag => "now() - '2018-07-30 12:00+00'", job_group => "'g'", retries => 0, mode => "'upsert'", update_where => "'true'");
sub begin
{
	my ($from) = @_;
	value('TRUNCATE a, b, pgci_runs, pgci_coverage, pgci_jobs');
	value(define_job($_, "SELECT * FROM $_", %common, target => "'$_'", src_conninfo => "'$from'")) for qw(b a);
	return;
}
my $group = q[CALL copy_incremental_catch_up(job_group => 'g', workers => 2)];
my $loaded = 'NOTICE:  00000: job "a": 2 windows, 48 rows  NOTICE:  00000: job "b": 2 windows, 48 rows';
my $snapshots = q[SELECT count(DISTINCT source_snapshot), count(source_snapshot) FROM copy_incremental_runs WHERE status = 'succeeded'];
begin('src');
is(sql($group), $loaded, 'a group');
is(value($snapshots), '1|4', 'one snapshot');

# What the source says is put into a statement, so it must be a name that PostgreSQL gives.
at_source('ALTER FUNCTION pg_catalog.pg_export_snapshot() RENAME TO pg_real_export_snapshot; CREATE TABLE answer (name text); CREATE FUNCTION pg_catalog.pg_export_snapshot() RETURNS text LANGUAGE sql AS $$ SELECT name FROM public.answer $$');
begin('src');
for my $name (q['''; DROP TABLE a'], q['../../pg_control'], q['00000003-0000001b-1'], q['00000003-0000001B-1 '], q[repeat('0', 32)], q[repeat('0', 300)], q[''], 'NULL', q['00000003/1'], q[E'00000003-\n1'])
{
	at_source("TRUNCATE answer; INSERT INTO answer VALUES ($name)");
	like(sql($group), qr/WARNING:  08P01: job "a": window 2018-07-28 failed: source server sent an unexpected response DETAIL:  Unexpected: .* in answer to the question about the snapshot\..*ERROR:  08P01: 2 of 2 jobs failed/, "the source says $name");
}
# A name that no transaction has, and that of a snapshot which is not the one of the session that was asked
at_source(q[TRUNCATE answer; INSERT INTO answer VALUES ('00000003-0000001B-1')]);
like(sql($group), qr/ERROR:  PI004: 2 of 2 jobs failed: "[^:]+" DETAIL:  .*the source does not have the snapshot of the job group any more/, 'a snapshot that does not exist');
my ($other) = open_session($source);
my $name = $other->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_real_export_snapshot()');
at_source("TRUNCATE answer; INSERT INTO answer VALUES ('$name')");
like(sql($group), qr/PI004: job "a": window 2018-07-28 failed: the source does not have the snapshot of the job group any more DETAIL:  The source has another snapshot of the same name\./, 'another snapshot of the same name');
$other->query_safe('COMMIT');
$other->quit;
is(value('SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b)'), '0', 'nothing was written');
no_session_left($source, 'no session is left at the source');
at_source('DROP FUNCTION pg_catalog.pg_export_snapshot(); ALTER FUNCTION pg_catalog.pg_real_export_snapshot() RENAME TO pg_export_snapshot; DROP TABLE answer');
is(sql($group), $loaded, 'and then all is loaded');

# A standby
$source->backup('backup');
my $standby = new_source('standby');
$standby->init_from_backup($source, 'backup', has_streaming => 1);
$standby->start;
value("CREATE SERVER standby FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '" . $standby->port . "', dbname 'postgres'); CREATE USER MAPPING FOR CURRENT_USER SERVER standby OPTIONS (user 'etl_reader', password '$password')");
at_source('INSERT INTO a VALUES (100, now()); DELETE FROM a WHERE id = 100');
$source->wait_for_catchup($standby);
begin('standby');
is(sql($group), $loaded, 'a standby');
is(value($snapshots) . ' ' . value('SELECT bool_and(settled) FROM copy_incremental_runs'), '1|4 t', 'a standby: one snapshot, and the windows were settled');
$standby->stop;

# A pooler in transaction mode
SKIP:
{
	skip 'pgbouncer is not installed', 3 unless PgBouncer::program();
	my $pooler = PgBouncer->start($source, [ three => 'pool_size=3', one => 'pool_size=1' ], "query_wait_timeout = 1\n");
	my $port = $pooler->port;
	value("CREATE SERVER $_ FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname '$_'); CREATE USER MAPPING FOR CURRENT_USER SERVER $_ OPTIONS (user 'etl_reader', password '$password')") for qw(three one);
	begin('three');
	is(sql($group), $loaded, 'a pool of three');
	is(value($snapshots), '1|4', 'a pool of three: one snapshot');
	begin('one');
	like(sql(q[CALL copy_incremental_catch_up(job_group => 'g')]), qr/ERROR:  08\w{3}: 2 of 2 jobs failed.*query_wait_timeout/, 'a pool of one: the pooler says why');
}
done_testing();
