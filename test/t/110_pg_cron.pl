# examples/pg_cron.sql with the real pg_cron: its jobs run, their rows are there, and pg_cron says that they succeeded.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my $sharedir = (run_command([ 'pg_config', '--sharedir' ]))[0];
plan skip_all => 'pg_cron is not installed (on Debian: postgresql-15-cron)' unless -e "$sharedir/extension/pg_cron.control";

my ($source, $destination) = start_servers(destination => <<~'CONF');
	listen_addresses = '127.0.0.1'
	shared_preload_libraries = 'pg_cron'
	cron.database_name = 'postgres'
	cron.use_background_workers = on
	max_worker_processes = 20
	CONF
my $port = $source->port;
$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE users (id int PRIMARY KEY, created_at timestamptz);
	INSERT INTO users SELECT g, ((now() AT TIME ZONE 'UTC')::date - 9 + g * interval '1 hour') AT TIME ZONE 'UTC'
	  FROM generate_series(0, 10 * 24 - 1) AS g;
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	CREATE DATABASE dwh;
	CREATE EXTENSION pg_cron;
	CREATE ROLE etl LOGIN;
	GRANT USAGE ON SCHEMA cron TO etl;
	GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO etl;
	SQL
$destination->safe_psql('dwh', <<~SQL);
	CREATE EXTENSION pg_copy_incremental;
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER src FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	CREATE TABLE users (id int PRIMARY KEY, created_at timestamptz);
	GRANT USAGE ON FOREIGN SERVER src TO etl;
	GRANT EXECUTE ON FUNCTION copy_incremental TO etl;
	GRANT EXECUTE ON PROCEDURE copy_incremental_backfill TO etl;
	GRANT SELECT, INSERT, DELETE ON users TO etl;
	SQL

# The file as it stands, but for the times: every second where pg_cron knows seconds (1.5), else every minute.
my $file = slurp_file("$FindBin::RealBin/../../examples/pg_cron.sql");
my ($minor) = $destination->safe_psql('postgres', "SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'") =~ /^1\.(\d+)/;
my $often = ($minor // 5) >= 5 ? '1 seconds' : '* * * * *';
is($file =~ s/'(15 1|40 \*) \* \* \*'/'$often'/g, 2, 'the two jobs of the example');

my ($jobs, $report) = $file =~ /^(.*\$job\$, 'dwh'\);\n)(.*)$/s;
sub etl { return $destination->safe_psql('postgres', $_[0], extra_params => [ '-U', 'etl' ]) }
etl($jobs);
for my $job ('users-nightly', 'users-missing')
{
	ok(wait_until($destination, qq[SELECT count(*) > 0 FROM cron.job_run_details JOIN cron.job USING (jobid)
		WHERE jobname = '$job' AND status IN ('succeeded', 'failed')]), "$job: ran");
	my $said = etl($report);
	like($said, qr/^$job\|succeeded\|/m, "$job: pg_cron says that it succeeded");
	unlike($said, qr/^$job\|failed\|/m, "$job: and never failed");
	etl("SELECT cron.unschedule('$job')");
}
is($destination->safe_psql('dwh', <<~'SQL'), '168|7|t|t', 'the seven days before today are there, and no other');
	SELECT count(*), count(DISTINCT (created_at AT TIME ZONE 'UTC')::date),
	       min((created_at AT TIME ZONE 'UTC')::date) = (now() AT TIME ZONE 'UTC')::date - 7,
	       max((created_at AT TIME ZONE 'UTC')::date) = (now() AT TIME ZONE 'UTC')::date - 1 FROM users
	SQL
is($destination->safe_psql('dwh', <<~'SQL'), 'etl|replace|succeeded|7', 'the ledger has the runs');
	SELECT username, mode, status, count(DISTINCT data_interval) FROM copy_incremental_runs GROUP BY 1, 2, 3
	SQL
done_testing();
