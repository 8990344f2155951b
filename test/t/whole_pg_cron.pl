# examples/pg_cron.sql with the real pg_cron: its jobs run, their rows are loaded, and pg_cron says that they succeeded.
use strict;
use warnings;

use FindBin;
use PgCron;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

plan skip_all => 'pg_cron is not installed (on Debian: postgresql-15-cron)' unless cron_minor();

my ($source, $destination) = start_servers(destination => cron_config() . "timezone = 'UTC'\nmax_worker_processes = 20\n");
# users has a row in each hour of the last days, and visits in each quarter of an hour of today and yesterday.
on_both(<<~'SQL', $source, $destination);
	CREATE TABLE users (id int PRIMARY KEY, created_at timestamptz);
	CREATE TABLE visits (id int PRIMARY KEY, began_at timestamptz);
	SQL
$source->safe_psql('postgres', <<~'SQL');
	INSERT INTO users SELECT g, ((now() AT TIME ZONE 'UTC')::date - 9 + g * interval '1 hour') AT TIME ZONE 'UTC'
	  FROM generate_series(0, 10 * 24 - 1) AS g;
	INSERT INTO visits SELECT g, ((now() AT TIME ZONE 'UTC')::date - 1 + g * interval '15 minutes') AT TIME ZONE 'UTC'
	  FROM generate_series(0, 2 * 24 * 4 - 1) AS g;
	SQL
$destination->safe_psql('postgres', <<~SQL);
	CREATE ROLE etl LOGIN;
	CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	GRANT USAGE ON FOREIGN SERVER src TO etl;
	GRANT SELECT, INSERT, DELETE ON users, visits TO etl;
	SELECT copy_incremental_grant('etl');
	SQL
create_cron($destination);

sub etl { return $destination->safe_psql('postgres', $_[0], extra_params => [ '-U', 'etl' ]) }
etl(<<~'SQL');
	SELECT copy_incremental_create_job('users', 'src', 'SELECT * FROM users', window_column => 'created_at', mode => 'replace',
	                                   first_day => (now() AT TIME ZONE 'UTC')::date - 7, time_zone => 'UTC');
	SELECT copy_incremental_create_job('visits', 'src', 'SELECT * FROM visits', window_column => 'began_at', mode => 'replace',
	                                   first_day => (now() AT TIME ZONE 'UTC')::date - 1, time_zone => 'UTC', window_size => '1 hour');
	SQL

# The file as it stands, but for the times: every second where pg_cron knows seconds (1.5), else every minute.
my $file = slurp_file("$FindBin::RealBin/../../examples/pg_cron.sql");
my $often = cron_minor() >= 5 ? '1 seconds' : '* * * * *';
is($file =~ s/^SELECT cron\.schedule\('[^']+', '\K[^']+/$often/mg, 2, 'the two schedules of the example');
my ($jobs, $report) = $file =~ /^(.*?)(^SELECT job, .*)$/ms;
etl("SELECT cron.schedule('long', '$often', 'SELECT pg_sleep(600)')");
etl($jobs);
for my $job ('catch up', 'catch up visits')
{
	ok(wait_until($destination, qq[SELECT count(*) > 0 FROM cron.job_run_details JOIN cron.job USING (jobid)
		WHERE jobname = '$job' AND status IN ('succeeded', 'failed')]), "$job: ran");
}
my $said = etl($report);
for my $job ('catch up', 'catch up visits')
{
	like($said, qr/^$job\|succeeded\|/m, "$job: pg_cron says that it succeeded");
	unlike($said, qr/^$job\|failed\|/m, "$job: and never failed");
}
like($said, qr/^long\|running\|/m, 'a long command delays no other');
etl('SELECT cron.unschedule(jobid) FROM cron.job');
is(etl(<<~'SQL'), '168|7|t|t', 'the seven days before today are loaded, and no other');
	SELECT count(*), count(DISTINCT (created_at AT TIME ZONE 'UTC')::date),
	       min((created_at AT TIME ZONE 'UTC')::date) = (now() AT TIME ZONE 'UTC')::date - 7,
	       max((created_at AT TIME ZONE 'UTC')::date) = (now() AT TIME ZONE 'UTC')::date - 1 FROM users
	SQL
is(etl(<<~'SQL'), 't|t', 'the hours that have ended, and no other');
	SELECT count(*) >= 24 * 4, max(began_at) < date_trunc('hour', now()) FROM visits
	SQL
is(etl(<<~'SQL'), 'etl|users|replace|succeeded|7', 'the ledger has the runs');
	SELECT username, job, mode, status, count(DISTINCT data_interval) FROM copy_incremental_runs WHERE job = 'users' GROUP BY 1, 2, 3, 4
	SQL
done_testing();
