# What a person asks of jobs: the view copy_incremental_jobs, missing, forget, NOTIFY, grant.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my ($source, $destination) = start_servers();
on_both('CREATE TABLE rows (id int, moment timestamptz); CREATE TABLE more (LIKE rows)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO rows SELECT n, timestamptz '2018-07-28 00:30+00' + n * interval '1 hour' FROM generate_series(0, 239) AS n]);

my $query = 'SELECT * FROM rows WHERE moment >= $1 AND moment < $2';
sub sql { return one_line($destination, 'verbose', @_) }
sub create { my ($job, %option) = @_; return define_job($job, $query, first_day => "'2018-07-28'", time_zone => "'UTC'", target => "'rows'", %option) }
sub run { my ($job, @days) = @_; return map { "DO \$\$BEGIN PERFORM copy_incremental_run('$job', '$_'); END\$\$" } @days }
sub view { my ($columns, $job) = @_; return "SELECT $columns FROM copy_incremental_jobs" . ($job ? " WHERE job = '$job'" : ' ORDER BY job') }
sub missing { my (@arguments) = @_; return "SELECT day, data_interval FROM copy_incremental_missing('" . join("', '", @arguments) . "')" }
# So many days before now that days are due, whatever the clock says.
my $lag = "now() - '2018-08-01 12:00+00'";

# The view
is(sql('SET TimeZone = UTC', create('days', lag => $lag), view('job, owner = current_user, source, target, mode, window_size, time_zone, first_day, covered, due_to, missing_windows, behind, running, last_run_id, last_success_at, last_error, options')),
	'days|t|src|public.rows|append|1 day|UTC|2018-07-28|{}|2018-08-01 00:00:00+00|4|4 days|0||||{}', 'a new job');
is(sql('SET TimeZone = UTC', run('days', '2018-07-28', '2018-07-30'), view('covered, due_to, missing_windows, behind, last_run_id, last_success_at = (SELECT max(ended_at) FROM copy_incremental_runs), last_error')),
	'{["2018-07-28 00:00:00+00","2018-07-29 00:00:00+00"),["2018-07-30 00:00:00+00","2018-07-31 00:00:00+00")}|2018-08-01 00:00:00+00|2|3 days|2|t|', 'two of four days');
is(sql('SET TimeZone = UTC', run('days', '2018-07-29', '2018-07-31'), view('missing_windows, behind, options')), '0|00:00:00|{}', 'nothing is missing');
is(sql(create('hours', window_size => "'6 hours'", time_zone => "'Europe/Berlin'", first_day => "'2018-03-25'", lag => "now() - '2018-03-26 00:00+02'", mode => "'replace'",
			replace_where => q['moment >= $1 AND moment < $2'], batch => 10), view('mode, missing_windows, behind, options', 'hours')),
	'replace|4|23:00:00|{"mode": "replace", "batch": 10, "replace_where": "moment >= $1 AND moment < $2"}', 'hours of a day of 23');
is(sql(create('minutes', window_size => "'1 hour'", time_zone => "'Europe/Berlin'", first_day => "'2018-01-01'", lag => "now() - '2019-01-01 00:00+01'", on_rerun => "'run'"), view('missing_windows', 'minutes'),
		q[SELECT count(*) FROM copy_incremental_missing('minutes', '2018-01-01', '2018-12-31')], q[SELECT copy_incremental_drop_job('minutes')]), '8759 8759', 'a year of hours: the view counts as missing does');
# Clocks that change by half an hour, by a day, by 3:58 minutes, and by 44:30 minutes.
for my $case ([ 'Australia/Lord_Howe', '15 minutes', '2018-01-01', '2018-12-31' ], [ 'Pacific/Apia', '5 minutes', '2011-12-01', '2012-02-29' ],
	[ 'America/New_York', '11 minutes 15 seconds', '1883-11-01', '1884-01-31' ], [ 'Africa/Monrovia', '5 minutes', '1971-12-01', '1972-02-29' ])
{
	my ($zone, $size, $first, $last) = @$case;
	my ($seen, $missing) = split / /, sql('SET TimeZone = UTC', create('zone', window_size => "'$size'", time_zone => "'$zone'", first_day => "'$first'",
			lag => "now() - (date '$last' + 1)::timestamp AT TIME ZONE '$zone'", on_rerun => "'run'"), view('missing_windows', 'zone'),
		"SELECT count(*) FROM copy_incremental_missing('zone', '$first', '$last')", q[SELECT copy_incremental_drop_job('zone')]);
	ok($seen eq $missing && $seen > 1000, "windows of $size in $zone: the view counts as missing does") or diag("$seen, $missing");
}
# Every role can call it.
sub backlog { my ($lag, $columns) = @_; return "SELECT $columns FROM pgci_backlog('0001-01-01', '5 minutes', '$lag', 'America/New_York', '{}')" }
like(sql(backlog('-250000 years', '*')), qr/ERROR:  22023: lag must not be negative/, 'a lag that no job can have');
is(sql(backlog('0', 'missing_windows > 200000000')), 't', 'the windows of 2000 years');
is(sql(create('later', first_day => "'2999-01-01'"), view('due_to, missing_windows, behind', 'later')) =~ s/2999-01-01 00:00:00\+\d\d/FIRST/r, 'FIRST|0|00:00:00', 'a first day in the future');
is(sql(create('table to come', target => "'to_come'"), view('target', 'table to come')) =~ s/WARNING.*//r, 'to_come', 'a target that does not exist yet');
my $port = $source->port;
is(sql(create('by string', src_conninfo => "'host=127.0.0.1 port=$port user=etl_trusted dbname=postgres'"), view('source', 'by string')), "127.0.0.1:$port/postgres", 'a connection string');
is(sql(map { "SELECT copy_incremental_drop_job('$_')" } 'later', 'table to come', 'by string'), '', 'dropped');

# A failure: recorded by a worker, and gone once the window is loaded.
$destination->safe_psql('postgres', q{INSERT INTO pgci_runs (job_id, owner, target, data_interval, source, server, source_place, source_tables, query_hash, mode, method, status, message, ended_at)
  SELECT job_id, owner, target, '[2018-08-01 00:00+00, 2018-08-02 00:00+00)', 'src', '-', '', '{}', '', 'append', 'cursor', 'failed', 'no route', now() FROM pgci_jobs WHERE job = 'days'});
is(sql(view('last_run_id, last_error', 'days')), '5|no route', 'the last error');
is(sql(run('days', '2018-08-01'), view('last_error', 'days')), '', 'no error: its window is loaded');

# A run under way
my $session = $destination->background_psql('postgres', on_error_stop => 1);
$source->safe_psql('postgres', 'BEGIN; LOCK more; COMMIT');
$destination->safe_psql('postgres', q[CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN new; END'; CREATE TRIGGER hold BEFORE INSERT ON more FOR EACH ROW EXECUTE FUNCTION hold()]);
$destination->safe_psql('postgres', create('held', target => "'more'"));
my $holder = $destination->background_psql('postgres', on_error_stop => 1);
$holder->query_safe('SELECT pg_advisory_lock(4711)');
start_call($session, q[SELECT copy_incremental_run('held', '2018-07-28')]);
ok(wait_until($destination, view('running = 1', 'held')), 'a run is under way');
$holder->query_safe('SELECT pg_advisory_unlock(4711)');
$holder->quit;
$session->quit;
is(sql(view('running', 'held')), '0', 'and has ended');
is(sql(q[SELECT copy_incremental_drop_job('held')]), '', 'dropped');

# Missing
is(sql('SET TimeZone = UTC', missing('days', '2018-07-31', '2018-08-03')),
	qq{2018-08-02|["2018-08-02 00:00:00+00","2018-08-03 00:00:00+00") 2018-08-03|["2018-08-03 00:00:00+00","2018-08-04 00:00:00+00")}, 'days that are not loaded');
is(sql('SET TimeZone = UTC', "SET DateStyle = 'SQL, DMY'", missing('hours', '2018-03-25', '2018-03-25')), '25/03/2018|["24/03/2018 23:00:00 UTC","25/03/2018 04:00:00 UTC") 25/03/2018|["25/03/2018 04:00:00 UTC","25/03/2018 10:00:00 UTC") '
	. '25/03/2018|["25/03/2018 10:00:00 UTC","25/03/2018 16:00:00 UTC") 25/03/2018|["25/03/2018 16:00:00 UTC","25/03/2018 22:00:00 UTC")', 'windows of hours, in the zone of the job');
is(sql(missing('days', '2018-07-27', '2018-07-28')) =~ s/\|.*//r, '2018-07-27', 'a day before the first one, which a backfill can load');
like(sql(missing('hours', '1000-01-01', '1100-01-01')), qr/ERROR:  22023: more than 100000 windows/, 'more than a backfill loads');
like(sql(missing('days', '2018-07-28', '2018-07-27')), qr/ERROR:  22023: last_day is before first_day/, 'days in the wrong order');
like(sql(q[SELECT * FROM copy_incremental_missing('days', NULL, '2018-07-27')]), qr/ERROR:  22004/, 'a NULL');
like(sql(missing('dais', '2018-07-28', '2018-07-28')), qr/ERROR:  42704: .*Perhaps you meant the job "days"/, 'no such job');

# Forget
is(sql('SET TimeZone = UTC', q[SELECT copy_incremental_forget('rows', '2018-07-29', '2018-07-29', 'days')], view('covered', 'days'), missing('days', '2018-07-28', '2018-08-01'),
		q[SELECT status, count(*) FROM copy_incremental_runs WHERE job = 'days' GROUP BY 1 ORDER BY 1]),
	'1 {["2018-07-28 00:00:00+00","2018-07-29 00:00:00+00"),["2018-07-30 00:00:00+00","2018-08-02 00:00:00+00")} 2018-07-29|["2018-07-29 00:00:00+00","2018-07-30 00:00:00+00") failed|1 forgotten|1 succeeded|4', 'a day of a job');
is(sql(run('days', '2018-07-29'), view('missing_windows', 'days')), '0', 'is loaded again');
is(sql(q[SET TimeZone = 'Asia/Tokyo'], copy_sql($query, '2018-07-29', target => "'rows'"), create('tokyo', time_zone => "'Asia/Tokyo'", on_rerun => "'run'"), run('tokyo', '2018-07-29', '2018-07-30'),
		q[SET TimeZone = UTC], q[SELECT copy_incremental_forget('rows', '2018-07-29', '2018-07-29')], view('missing_windows', 'days'), missing('tokyo', '2018-07-29', '2018-07-30')) =~ s/WARNING:.*//r,
	'24 3 1 2018-07-29|["2018-07-28 15:00:00+00","2018-07-29 15:00:00+00")', 'without a job: each job by its own zone, and calls by that of the session');
is(sql(q[SET TimeZone = 'Asia/Tokyo'], q[SELECT copy_incremental_forget('rows', '2018-07-29', '2018-07-29')]), '1', 'the call');
like(sql(q[SELECT copy_incremental_forget('more', NULL, NULL, 'days')]), qr/ERROR:  22023: job "days" does not load into this target/, 'another target');
like(sql(q[SELECT copy_incremental_forget('rows', NULL, NULL, 'dais')]), qr/ERROR:  42704/, 'no such job');
is(sql(q[SELECT copy_incremental_forget('rows', NULL, NULL)], view('job, covered')), '5 days|{} hours|{} tokyo|{}', 'all');

# Other roles
$destination->safe_psql('postgres', q[CREATE ROLE etl LOGIN; CREATE ROLE member LOGIN IN ROLE etl; CREATE ROLE stranger LOGIN; GRANT USAGE ON FOREIGN SERVER src TO etl;
  GRANT ALL ON rows TO etl, stranger; GRANT ALL ON SCHEMA public TO etl, stranger;] . qq[CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password')]);
like(sql('SET ROLE stranger', q[SELECT copy_incremental_drop_job('days')]), qr/ERROR:  42501: permission denied for function/, 'no verb without a grant');
like(sql('SET ROLE stranger', q[SELECT copy_incremental_grant('stranger')]), qr/ERROR:  42501: permission denied for function copy_incremental_grant/, 'a grant to oneself');
is(sql(q[SELECT copy_incremental_grant('etl')], q[SELECT copy_incremental_grant('stranger')], q[GRANT EXECUTE ON FUNCTION copy_incremental_grant TO stranger]), '', 'all verbs are granted');
is(sql(q[SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE proname LIKE 'copy\_incremental%' AND NOT has_function_privilege('etl', oid, 'EXECUTE')]), 'copy_incremental_grant', 'but not this one');
like(sql('SET ROLE stranger', q[SELECT copy_incremental_grant('etl')]), qr/ERROR:  42501: permission denied for function copy_incremental\b.*HINT:  Its owner/, 'who has them cannot pass them on');
like(sql(q[SELECT copy_incremental_grant(NULL)]), qr/ERROR:  22004/, 'to NULL');
like(sql(q[SELECT copy_incremental_grant('-')]), qr/ERROR:  /, 'to no role');
is(sql('SET ROLE etl', create('of etl'), run('of etl', '2018-07-28'), view('job, owner')), 'of etl|etl', 'a role sees its own jobs');
is(sql('SET ROLE member', view('job, missing_windows > 0'), q[SELECT job FROM copy_incremental_runs]), 'of etl|t of etl', 'and its members do');
is(sql('SET ROLE stranger', view('job'), 'SELECT job FROM copy_incremental_runs'), '', 'others do not');
is(sql('SET ROLE stranger', q[SELECT copy_incremental_forget('rows', NULL, NULL)]), '0', 'others cannot forget its windows');
# Otherwise it would make the runs of others wait until its transaction ends.
$destination->safe_psql('postgres', 'REVOKE ALL ON rows FROM stranger');
like(sql('SET ROLE stranger', q[SELECT copy_incremental_forget('rows', NULL, NULL)]), qr/ERROR:  42501: permission denied to forget windows of rows/, 'nor who cannot write to it');
is(sql('GRANT UPDATE (id) ON rows TO stranger', 'SET ROLE stranger', q[SELECT copy_incremental_forget('rows', NULL, NULL)]), '0', 'a privilege on a column is enough');
for my $call (q[copy_incremental_forget('rows', NULL, NULL, 'of etl')], q[* FROM copy_incremental_missing('of etl', '2018-07-28', '2018-07-28')], q[* FROM copy_incremental_explain('of etl')],
	q[* FROM copy_incremental_describe('of etl')], q[* FROM copy_incremental_verify('of etl', '2018-07-28')], q[* FROM copy_incremental_verify_rows('of etl', '2018-07-28')])
{
	like(sql('SET ROLE stranger', "SELECT $call"), qr/ERROR:  42501: permission denied for job "of etl"/, "another role's job: $call");
}
is(sql('SET ROLE member', q[SELECT copy_incremental_forget('rows', NULL, NULL)], view('covered')), '1 {}', 'a member can');

$destination->safe_psql('postgres', 'CREATE DATABASE apart');
$destination->safe_psql('apart', 'CREATE SCHEMA "A part"; CREATE EXTENSION pg_copy_incremental SCHEMA "A part"');
is($destination->safe_psql('apart', q[SELECT "A part".copy_incremental_grant('etl'); SET ROLE etl; SET search_path = "A part"; SELECT count(*) FROM copy_incremental_jobs]), "\n0", 'a grant includes the schema of the extension');

# NOTIFY
my $heard = sub {
	my (@statements) = @_;
	my (undef, $out, $err) = $destination->psql('postgres', join(';', 'LISTEN copy_incremental', 'SET TimeZone = UTC', @statements, 'SELECT 1'));
	return join ' ', map { s/Asynchronous notification "copy_incremental" with payload "(.*)" received.*/$1/r =~ s/("run_id" : )\d+/$1N/gr } grep { /^Asynch|ERROR/ } split /\n/, $out . $err;
};
is($heard->(run('days', '2018-07-28')), '{"job" : "days", "run_id" : N, "status" : "succeeded", "target" : "public.rows", "window" : ["2018-07-28T00:00:00+00:00", "2018-07-29T00:00:00+00:00"], "rows" : 24}', 'a run of a job');
is($heard->(copy_sql('SELECT * FROM rows', undef)), '{"job" : null, "run_id" : N, "status" : "succeeded", "target" : "public.rows", "window" : null, "rows" : 240}', 'a call');
is($heard->(by_batches(copy_sql($query, '2018-07-29', batch => 10))) =~ s/.*"status" : "(\w+)".*"rows" : (\d+).*/$1 $2/r, 'succeeded 24', 'batches: one at the end');
$destination->safe_psql('postgres', 'DELETE FROM pgci_runs');
is($heard->('BEGIN', run('days', '2018-07-30'), 'ROLLBACK'), '', 'a run that is rolled back');
is($heard->('BEGIN', 'SAVEPOINT a', run('days', '2018-07-29'), 'SAVEPOINT b', run('days', '2018-07-30'), 'RELEASE b', 'ROLLBACK TO a', run('days', '2018-07-31'), 'COMMIT') =~ s/"job"/#/gr =~ s/[^#]+"window" : \["(2018-07-\d\d)[^#]*/$1/gr,
	'{#2018-07-31', 'runs of subtransactions that are rolled back');
unlike($heard->(run('days', '2018-07-29')), qr/S3CRET/, 'no secret');

done_testing();
