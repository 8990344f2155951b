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
stay_in_the_day();
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
	CREATE TABLE refused (id int CHECK (id < 0), created_at timestamptz);
	CREATE ROLE other LOGIN IN ROLE etl;
	CREATE USER MAPPING FOR other SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	GRANT SELECT, INSERT ON refused TO other;
	CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN new; END';
	CREATE TRIGGER wait BEFORE INSERT ON visits FOR EACH ROW EXECUTE FUNCTION wait();
	SQL
create_cron($destination);
$destination->safe_psql('postgres', 'GRANT USAGE ON SCHEMA cron TO other');

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
# A job of another role fails.
$destination->safe_psql('postgres', <<~SQL, extra_params => [ '-U', 'other' ]);
	SELECT copy_incremental_create_job('refused', 'src', 'SELECT * FROM users', target => 'public.refused', window_column => 'created_at',
	                                   first_day => (now() AT TIME ZONE 'UTC')::date - 1, time_zone => 'UTC');
	SELECT cron.schedule('catch up refused', '$often', 'CALL copy_incremental_catch_up(''refused'')');
	SQL
etl("SELECT cron.schedule('long', '$often', 'SELECT pg_sleep(600)')");
my $holder = $destination->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(7)');
etl($jobs);
# Both schedules come to the same hours of visits at the same time.
ok(wait_until($destination, q[SELECT count(*) = 2 FROM cron.job_run_details JOIN cron.job USING (jobid)
	WHERE jobname LIKE 'catch up%' AND jobname <> 'catch up refused' AND status = 'running'
	HAVING EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'advisory')]), 'both schedules run at once');
$holder->query_safe('SELECT pg_advisory_unlock(7)');
$holder->quit;
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
is(etl(q[SELECT count(*) >= 24, count(*) - count(DISTINCT data_interval), max(attempt) FROM copy_incremental_runs WHERE job = 'visits']), 't|0|1',
	'the two schedules have loaded each hour once');

# What failed is named where an operator looks: what pg_cron has kept, and the log of the server.
ok(wait_until($destination, q[SELECT count(*) > 0 FROM cron.job_run_details JOIN cron.job USING (jobid)
	WHERE jobname = 'catch up refused' AND status = 'failed']), 'catch up refused: failed');
my $kept = $destination->safe_psql('postgres', q[SELECT return_message FROM cron.job_run_details JOIN cron.job USING (jobid)
	WHERE jobname = 'catch up refused' AND status = 'failed' LIMIT 1]);
like($kept, qr/job "refused"/, 'pg_cron has kept the name of the job that failed');
my $log = slurp_file($destination->logfile);
like($log, qr/WARNING:  job "refused": window \S+ failed: new row/, 'the log has it, with the window');
is(scalar(grep { !/refused/ } $log =~ /^.* (?:WARNING|ERROR):  .*$/mg), 0, 'and every line of a warning or an error names the job')
  or diag(join "\n", grep { !/refused/ } $log =~ /^.* (?:WARNING|ERROR):  .*$/mg);

is(etl(<<~'SQL'), 'etl|users|replace|succeeded|7', 'the ledger has the runs');
	SELECT username, job, mode, status, count(DISTINCT data_interval) FROM copy_incremental_runs WHERE job = 'users' GROUP BY 1, 2, 3, 4
	SQL
done_testing();
