# CALL copy_incremental_catch_up(): which windows of which jobs, in which order; and windows and jobs that fail.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "timezone = 'UTC'\n", destination => "timezone = 'UTC'\n");
$source->safe_psql('postgres', q[GRANT pg_read_all_stats TO etl_reader]);
on_both('CREATE TABLE rows (id int PRIMARY KEY, at timestamptz)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO rows SELECT g, timestamptz '2018-01-01 00:00+00' + g * interval '1 hour' FROM generate_series(0, 24 * 365) AS g]);

sub results { return one_line($destination, 'default', @_) }
my $query = 'SELECT * FROM rows WHERE at >= $1 AND at < $2';
# A job whose clock stands still: the windows that were due at this moment.
sub until_moment { my ($moment) = @_; return (lag => "now() - timestamptz '$moment'", target => "'rows'") }
sub fresh { return ('TRUNCATE rows', 'TRUNCATE pgci_runs', 'DELETE FROM pgci_jobs', 'DELETE FROM pgci_coverage') }
my $loaded = 'SELECT count(*), min(id), max(id) FROM rows';

# Sizes of windows, and days of 23 and 25 hours.
for my $case (
	[ 'days', '2018-07-01', '2018-07-05 12:00+00', 'UTC', '1 day', 4, 96 ],
	[ 'a day that is not over', '2018-07-05', '2018-07-05 23:59+00', 'UTC', '1 day', 0, 0 ],
	[ 'a first day to come', '2018-07-09', '2018-07-05 12:00+00', 'UTC', '1 day', 0, 0 ],
	[ 'hours', '2018-07-01', '2018-07-02 13:00+00', 'UTC', '6 hours', 6, 36 ],
	[ 'hours of a day of 25 hours', '2018-11-03', '2018-11-06 07:00+00', 'America/New_York', '6 hours', 12, 73 ],
	[ 'an hour of a day of 23 hours', '2018-03-10', '2018-03-13 04:30+00', 'America/New_York', '1 hour', 71, 71 ],
	[ 'days of 23 and 24 hours', '2018-03-10', '2018-03-13 04:30+00', 'America/New_York', '1 day', 3, 71 ],
	[ 'weeks', '2018-07-01', '2018-07-30 12:00+00', 'Europe/Berlin', '7 days', 4, 28 * 24 ],
	[ 'months that begin on the last day', '2018-01-31', '2018-05-15 00:00+00', 'UTC', '1 month', 3, 89 * 24 ])
{
	my ($name, $first, $moment, $zone, $size, $windows, $rows) = @$case;
	my $line = 'NOTICE:  job "j": ' . $windows . ($windows == 1 ? ' window' : ' windows') . ", $rows rows";
	is(results(fresh(), define_job('j', $query, first_day => "'$first'", time_zone => "'$zone'", window_size => "'$size'", until_moment($moment)), "CALL copy_incremental_catch_up('j')"), $line, "$name: windows and rows");
	is(results(q[CALL copy_incremental_catch_up('j')], q[SELECT count(*), count(DISTINCT data_interval) FROM copy_incremental_runs]) =~ s/NOTICE.*//r, "$windows|$windows", "$name: each once");
}

# The oldest window first, and the job first whose oldest missing window is the oldest.
results(fresh(), (map { define_job($_->[0], $query, first_day => "'$_->[1]'", mode => "'skip'", until_moment('2018-07-05 12:00+00')) } [ 'a', '2018-07-03' ], [ 'b', '2018-07-01' ], [ 'c', '2018-07-02' ]),
	q[SELECT copy_incremental_run('b', '2018-07-01')]);
is(results(q[CALL copy_incremental_catch_up()], q[SELECT string_agg(job || extract(day FROM lower(data_interval)), ' ' ORDER BY run_id) FROM copy_incremental_runs]) =~ s/NOTICE.*//r,
	'b1 b2 b3 b4 c2 c3 c4 a3 a4', 'what waits longest is first');

# lookback: the first of adjacent windows has the days before, also where workers load the others at once.
# A window that lies in those days is not loaded twice. Without update_where, the windows of an upsert are loaded in order.
for my $case ([ 1, '29-2 2-3 3-4 3-6 6-7 7-8 8-9' ], [ 3, '29-2 2-3 3-4 3-6 6-7 7-8 8-9' ], [ 3, '29-2 2-3 3-6 6-7 7-8 8-9', update_where => "'true'" ])
{
	my ($workers, $runs, @options) = @$case;
	results(fresh(), define_job('j', $query, first_day => "'2018-07-01'", mode => "'upsert'", lookback => 2, @options, until_moment('2018-07-09 12:00+00')),
		q{INSERT INTO pgci_coverage SELECT job_id, tstzmultirange(tstzrange('2018-07-04', '2018-07-05')) FROM pgci_jobs}, "CALL copy_incremental_catch_up('j', $workers)");
	is(results(q[SELECT string_agg(concat(extract(day FROM lower(data_interval)), '-', extract(day FROM upper(data_interval))), ' ' ORDER BY upper(data_interval)) FROM copy_incremental_runs]),
		$runs, "lookback, workers $workers");
	is(results('SELECT count(*) FROM rows'), 24 * 10, "lookback, workers $workers: rows");
}

# Windows that fail stop no other, nor do jobs that cannot be used.
results(fresh(), 'ALTER TABLE rows ADD CONSTRAINT c CHECK (id <> 24 * 182 + 5)', 'CREATE TABLE dropped (LIKE rows)',
	define_job('bad window', $query, first_day => "'2018-07-01'", until_moment('2018-07-05 12:00+00')),
	define_job('bad target', $query, first_day => "'2018-07-01'", until_moment('2018-07-05 12:00+00'), target => "'dropped'"),
	define_job('good', $query, first_day => "'2018-07-01'", mode => "'skip'", until_moment('2018-07-09 12:00+00')), 'DROP TABLE dropped');
my $said = fails_with($destination, 'CALL copy_incremental_catch_up()', '42P01', qr/3 of 3 jobs failed/, 'failures: the error has the SQLSTATE of the first');
like($said, qr/DETAIL:  job "bad target", window 2018-07-01: table .*\(SQLSTATE 42P01\); 3 windows not tried\njob "bad window", window 2018-07-02: .*\(SQLSTATE 23514\)\njob "good", window 2018-07-02: /, 'failures: and names all');
is(results(q[SELECT string_agg(concat_ws(' ', job, status, n), ', ' ORDER BY job, status) FROM (SELECT job, status, count(*) AS n FROM copy_incremental_runs GROUP BY 1, 2) AS r]),
	'bad target failed 1, bad window failed 1, bad window succeeded 3, good failed 1, good succeeded 7', 'failures: each is recorded, and what can be loaded is loaded');
is(results(q[SELECT message FROM copy_incremental_runs WHERE job = 'bad target']), 'table public.dropped, the target of job "bad target", does not exist', 'failures: the ledger says why');
like(results('ALTER TABLE rows DROP CONSTRAINT c', q[SELECT copy_incremental_drop_job('bad target')], 'CALL copy_incremental_catch_up()'), qr/NOTICE:  job "bad window": 1 window, 24 rows NOTICE:  job "good": 1 window, 0 rows|NOTICE:  job "good": 1 window, 24 rows.*/, 'failures: the next call heals');

# A connection that is refused.
results(fresh(), define_job('j', $query, retries => 0, first_day => "'2018-07-01'", until_moment('2018-07-05 12:00+00')));
results("ALTER SERVER src OPTIONS (SET port '1')");
like(results(q[CALL copy_incremental_catch_up('j', 4)]), qr/ERROR:  1 of 4 windows of job "j" failed .*; 3 windows not tried/, 'refused in workers: one failure');
is(results(q[SELECT concat_ws(' ', status, sqlstate, source, target, lower(data_interval)::date, attempt) FROM copy_incremental_runs]) =~ s/2018-07-0\d/day/r, 'failed 08001 src rows day 1', 'refused: the entry');
results("ALTER SERVER src OPTIONS (SET port '" . $source->port . q[')]);

# Windows that are not settled. Append would never load them again.
stay_in_the_day();
my $today = "(now() AT TIME ZONE 'UTC')::date";
results(fresh(), define_job('append', $query, first_day => "$today - 1", target => "'rows'"), define_job('replace', 'SELECT * FROM rows', first_day => "$today - 1", target => "'rows'", mode => "'replace'", window_column => "'at'"));
like(results("CALL copy_incremental_backfill('append', $today - 1, $today)"), qr/WARNING:  job "append": window \S+ failed: window \S+ of job \S+ into \S+ is not settled.*1 of 2 windows/, 'append: a window that is known not to be settled is a failure');
is(results(q[SELECT status, sqlstate FROM copy_incremental_runs WHERE status = 'failed']), 'failed|PI002', 'append: recorded');
for (1, 2)
{
	like(results("CALL copy_incremental_backfill('replace', $today, $today)"), qr/WARNING:  window \S+ of job \S+ into \S+ is not settled.*NOTICE:  job "replace": 1 window, 0 rows$/, 'replace: it is loaded, and again by the next call');
}
results(q[DELETE FROM pgci_coverage], q[UPDATE pgci_runs SET settled = false]);
like(results(q[CALL copy_incremental_catch_up('append')]), qr/ERROR:  1 of 1 window of job "append" failed DETAIL:  .* was loaded before it was settled/, 'append: a window that was loaded too early');
like(results(q[CALL copy_incremental_catch_up('replace')]), qr/NOTICE:  job "replace": 1 window, 0 rows$/, 'replace: it is loaded again');

# A transaction that began before the end of the window, and ends while the query is described, which waits for its lock: the
# source is asked again, and its row is in the snapshot that is taken afterwards.
results(fresh(), define_job('j', $query, first_day => "'2018-07-01'", until_moment('2018-07-03 12:00+00')));
my ($writer) = open_session($source);
$writer->query_safe(q[BEGIN; LOCK TABLE rows; INSERT INTO rows VALUES (-1, now())]);
my $client = start_client($destination, 'late', q[SELECT copy_incremental_run_range('j', tstzrange(now() - interval '1 hour', now()))]);
ok(poll_session($writer, 'SELECT count(*) = 1 FROM pg_locks WHERE NOT granted'), 'a transaction that ends meanwhile: the run waits for it');
$writer->query_safe('COMMIT');
is((end_of_client($client))[0], '00000', 'a transaction that ends meanwhile: the run succeeds');
is(results('SELECT settled, rows_written FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1', 'SELECT count(*) FROM pgci_coverage'), 't|1 1', 'a transaction that ends meanwhile: its row is loaded, and the window is covered');
$writer->quit;
$source->safe_psql('postgres', 'DELETE FROM rows WHERE id = -1');

# Whose jobs.
results(fresh(), 'CREATE ROLE loader', 'CREATE ROLE etl LOGIN', 'GRANT loader TO etl', 'GRANT USAGE ON FOREIGN SERVER src TO loader', 'GRANT INSERT ON rows TO loader, etl',
	"CREATE USER MAPPING FOR loader SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password')",
	'GRANT EXECUTE ON PROCEDURE copy_incremental_catch_up TO loader, etl', 'GRANT EXECUTE ON FUNCTION copy_incremental_create_job TO loader',
	'SET ROLE loader', define_job('of_loader', $query, first_day => "'2018-07-01'", until_moment('2018-07-03 12:00+00')), 'RESET ROLE', 'CREATE ROLE stranger', 'GRANT EXECUTE ON PROCEDURE copy_incremental_catch_up TO stranger');
is(results('CALL copy_incremental_catch_up()'), 'NOTICE:  no job of role "postgres" has a window that is due and missing', 'a job of another role is left alone, by a superuser too');
is(results('SET ROLE stranger', 'CALL copy_incremental_catch_up()'), 'NOTICE:  no job of role "stranger" has a window that is due and missing', 'by a stranger');
like(results('SET ROLE stranger', q[CALL copy_incremental_catch_up('of_loader')]), qr/ERROR:  permission denied for job "of_loader"/, 'who may not name it');
is(results('SET ROLE etl', 'CALL copy_incremental_catch_up()'), 'NOTICE:  no job of role "etl" has a window that is due and missing', 'nor by a member');
like(results('SET ROLE etl', q[CALL copy_incremental_catch_up('of_loader')]), qr/user mapping|failed/, 'a member runs it by its name, as who he is');
is(results('SET ROLE loader', 'CALL copy_incremental_catch_up()'), 'NOTICE:  job "of_loader": 2 windows, 48 rows', 'its own role');
# A job whose windows cannot be found does not stop the others.
like(results(fresh(), (map { define_job($_, $query, first_day => "'2018-07-01'", time_zone => "'UTC'", until_moment('2018-07-03 12:00+00')) } 'astray', 'j'), q[UPDATE pgci_jobs SET time_zone = 'Mars/Base' WHERE job = 'astray'],
	'CALL copy_incremental_catch_up()'), qr/WARNING:  job "astray" failed: time zone "Mars\/Base" not recognized.*NOTICE:  job "j": 2 windows, 48 rows.*ERROR:  1 of 2 jobs failed: "[^:]+" DETAIL:  job "astray": time zone "Mars\/Base" not recognized \(SQLSTATE 22023\)/,
	'a job whose windows cannot be found');
fails_with($destination, 'CALL copy_incremental_catch_up(workers => 0)', '22023', qr/workers must be between 1 and 64, not 0/, 'workers out of range');
fails_with($destination, q[CALL copy_incremental_catch_up('nothing')], '42704', qr/job "nothing" does not exist/, 'no such job');
fails_with($destination, 'BEGIN; CALL copy_incremental_catch_up()', '2D000', qr/cannot be called inside a transaction block/, 'a transaction block');
done_testing();
