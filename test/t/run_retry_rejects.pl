# copy_incremental_retry_rejects(): rejected rows are loaded when the target takes them; until then their window is not complete.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
on_both(<<~'SQL', $source, $destination);
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE TABLE events (id int, at timestamptz, value int, mood mood, f float8, b bytea, i interval, note text, m money, x xml, a timestamptz[]);
	SQL
$source->safe_psql('postgres', <<~'SQL');
	ALTER TYPE mood ADD VALUE 'angry';
	INSERT INTO events SELECT n, timestamptz '2018-07-28 00:30+00' + (n - 1) * interval '1 hour', CASE WHEN n % 10 = 0 THEN -n ELSE n END, CASE n WHEN 7 THEN 'angry' ELSE 'sad' END::mood,
	  n / 7.0::float8, decode(lpad(to_hex(n), 8, '0'), 'hex'), make_interval(months => n, secs => n / 3.0), E'a "quoted"\n' || chr(1) || chr(233) || ' text', n::money, '<a>é</a>', ARRAY[timestamptz '2018-07-28 00:30+05', NULL]
	  FROM generate_series(1, 72) AS n;
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	ALTER TABLE events ADD CONSTRAINT positive CHECK (value > 0), ADD PRIMARY KEY (id);
	CREATE ROLE owner; CREATE ROLE other; GRANT owner TO postgres;
	GRANT ALL ON events TO owner, other; GRANT USAGE ON FOREIGN SERVER src TO owner, other;
	SELECT copy_incremental_grant('owner'), copy_incremental_grant('other');
	SQL
my $password = $TwoServers::password;
$destination->safe_psql('postgres', "CREATE USER MAPPING FOR owner SERVER src OPTIONS (user 'etl_reader', password '$password')");

my $query = 'SELECT * FROM events';
sub sql { return one_line($destination, 'verbose', @_) }
sub create { my ($job, %option) = @_; return define_job($job, $query, window_column => "'at'", first_day => "'2018-07-28'", time_zone => "'UTC'", target => "'events'", on_error => "'reject'", lag => "now() - '2018-07-31 12:00+00'", %option) }
sub value { my ($sql) = @_; return $destination->safe_psql('postgres', $sql) }
sub last_run { return value('SELECT max(run_id) FROM copy_incremental_runs') }
sub view { my ($columns) = @_; return "SELECT $columns FROM copy_incremental_jobs WHERE job = 'days'" }
my $rejects = 'SELECT run_id, reject, sqlstate, coalesce(constraint_name, column_name), loaded_by FROM copy_incremental_rejects';
my $utc = 'SET TimeZone = UTC';

# A job: the window with rejects is not complete, and is not loaded again.
is(sql($utc, create('days'), "CALL copy_incremental_catch_up('days')"), 'NOTICE:  00000: job "days": 3 windows, 64 rows', 'three days, eight rejects');
is(sql($utc, "$rejects ORDER BY 1, 2"), '1|1|22P02|mood| 1|2|23514|positive| 1|3|23514|positive| 2|1|23514|positive| 2|2|23514|positive| 3|1|23514|positive| 3|2|23514|positive| 3|3|23514|positive|', 'the rejects');
is(sql($utc, view('covered, missing_windows, behind, rejects, rejecting_runs')), '{}|0|00:00:00|8|{1,2,3}', 'no window is complete or missing');
is(sql($utc, "SELECT day, status FROM copy_incremental_missing('days', '2018-07-28', '2018-08-01')"), '2018-07-28|rejects 2018-07-29|rejects 2018-07-30|rejects 2018-07-31|missing 2018-08-01|missing', 'missing says why');
like(sql("CALL copy_incremental_catch_up('days')"), qr/job "days": 0 windows, 0 rows DETAIL:  Windows with rejected rows are not loaded again/, 'catch_up does not load them again');
like(sql("CALL copy_incremental_backfill('days', '2018-07-28', '2018-07-29')"), qr/0 windows, 0 rows DETAIL:  2 of 2 windows were loaded before\. Windows with rejected/, 'nor does a backfill of what is missing');
like(sql("SELECT copy_incremental_run('days', '2018-07-29')"), qr/ERROR:  PI001: .*was loaded, except for rejected rows DETAIL:  .*rejected 2.* HINT:  copy_incremental_retry_rejects\(2\)/, 'append says what to call');
like(sql("SELECT * FROM copy_incremental_explain('days')"), qr/missing windows\|0 rejects\|Windows with rejected rows/, 'explain');

# Nothing has changed.
like(sql('SELECT copy_incremental_retry_rejects(2)'), qr/^0NOTICE:  00000: 2 rejected rows of run 2 into public.events are not loaded HINT/, 'none of the rows is taken');
is(sql($utc, "SELECT run_id, job, mode, status, rows_read, rows_written, rejects, data_interval FROM copy_incremental_runs WHERE run_id IN (2, 4) ORDER BY 1"),
	'2|days|append|succeeded|24|22|2|["2018-07-29 00:00:00+00","2018-07-30 00:00:00+00") 4|days|retry|succeeded|2|0|0|["2018-07-29 00:00:00+00","2018-07-30 00:00:00+00")', 'a run of its own');
# The target takes some rows: the others have their newest error.
value('ALTER TABLE events DROP CONSTRAINT positive, ADD CONSTRAINT below CHECK (value > -40)');
like(sql('SELECT copy_incremental_retry_rejects(2)'), qr/^1NOTICE:  00000: 1 rejected row of run 2 into public.events is not loaded/, 'one of two');
is(sql("$rejects WHERE run_id = 2 ORDER BY 2"), '2|1|23514|positive|5 2|2|23514|below|', 'it is marked, the other one has its newest error');
is(sql(view('rejects')), '7', 'counted');
value(q[ALTER TABLE events DROP CONSTRAINT below; ALTER TYPE mood ADD VALUE 'angry']);
is(sql('SELECT copy_incremental_retry_rejects(r) FROM generate_series(1, 3) AS r'), '3 1 3', 'the others');
is(sql($utc, view('covered, missing_windows, rejects, rejecting_runs')), '{["2018-07-28 00:00:00+00","2018-07-31 00:00:00+00")}|0|0|', 'the windows are complete');
is(sql('SELECT copy_incremental_retry_rejects(2)'), '0NOTICE:  00000: run 2 into events has no rejected rows to load', 'nothing is left');
same_rows($source, $destination, 'events', 'every value has arrived');
like(sql('SELECT copy_incremental_retry_rejects(99)'), qr/ERROR:  42704: run 99 does not exist/, 'no such run');
like(sql('SELECT copy_incremental_retry_rejects(NULL)'), qr/ERROR:  22004/, 'NULL');

# Other settings of the session do not matter, neither when rows are rejected nor when they are loaded.
value('TRUNCATE events; ALTER TABLE events ADD CONSTRAINT none CHECK (value IS NULL) NOT VALID');
is(sql(q[SET DateStyle = 'SQL, DMY'], 'SET extra_float_digits = 0', 'SET bytea_output = escape', 'SET IntervalStyle = sql_standard', q[SET TimeZone = 'Asia/Tokyo'], q[SET xmloption = document],
		'SET client_min_messages = error', copy_sql($query, undef, on_error => "'reject'", target => "'events'")), '0', 'all rows are rejected');
my $run = last_run();
value('ALTER TABLE events DROP CONSTRAINT none');
is(sql(q[SET DateStyle = 'Postgres, MDY'], q[SET TimeZone = 'America/New_York'], 'SET IntervalStyle = iso_8601', "SELECT copy_incremental_retry_rejects($run)"), '72', 'a call, by other settings');
same_rows($source, $destination, 'events', 'the values are exact');

# Modes
for my $mode (qw(skip upsert replace))
{
	value('TRUNCATE events; ALTER TABLE events ADD CONSTRAINT positive CHECK (value > 0)');
	my %mode = (mode => "'$mode'", on_error => "'reject'", target => "'events'", window_column => "'at'");
	is(sql(copy_sql($query, '2018-07-29', %mode)), '22', "$mode: two rejects");
	$run = last_run();
	value('ALTER TABLE events DROP CONSTRAINT positive');
	value(q[INSERT INTO events (id, value) VALUES (30, 1)]) unless $mode eq 'replace';
	is(sql("SELECT copy_incremental_retry_rejects($run)"), $mode eq 'skip' ? 1 : 2, "$mode: retried");
	is(sql('SELECT count(*), count(*) FILTER (WHERE value < 0) FROM events'), $mode eq 'skip' ? '24|1' : '24|2', "$mode: as the mode says");
}
# A row outside of the slice stays rejected.
value('ALTER TABLE events ADD CONSTRAINT positive CHECK (value > 0) NOT VALID');
value(copy_sql($query, '2018-07-29', mode => "'replace'", on_error => "'reject'", target => "'events'", window_column => "'at'"));
$run = last_run();
value(q[ALTER TABLE events DROP CONSTRAINT positive; CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := NEW.at + interval ''1 day''; RETURN NEW; END';
	CREATE TRIGGER move BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.id = 30) EXECUTE FUNCTION move()]);
like(sql("SELECT copy_incremental_retry_rejects($run)"), qr/^1NOTICE:  00000: 1 rejected row/, 'replace: a row that is stored outside of the slice');
is(sql("SELECT sqlstate FROM copy_incremental_rejects WHERE run_id = $run AND loaded_by IS NULL"), '44000', 'its newest error');
value('DROP TRIGGER move ON events; TRUNCATE events');
# A transform that makes two rows of one
my %transform = (transform => q[$$SELECT id * 10 + k AS id, at, value + k AS value FROM batch, generate_series(0, 1) AS k$$], on_error => "'reject'", target => "'events'");
value('ALTER TABLE events ADD CONSTRAINT positive CHECK (value <> -9)');
is(value(copy_sql("$query WHERE id < 21", undef, %transform)), '38', 'transform: one row fails with both of its rows');
$run = last_run();
value('ALTER TABLE events DROP CONSTRAINT positive');
is(sql("SELECT copy_incremental_retry_rejects($run)", 'SELECT count(*), count(DISTINCT id) FROM events'), '2 40|40', 'transform: both are loaded');

# What cannot be retried
value('TRUNCATE events; ALTER TABLE events ADD CONSTRAINT positive CHECK (value > 0)');
sub rejecting_run { my (%option) = @_; value('TRUNCATE events'); value(copy_sql($query, '2018-07-29', window_column => "'at'", on_error => "'reject'", target => "'events'", %option)); return last_run() }
$run = rejecting_run(mode => "'upsert'");
my $later = rejecting_run(mode => "'upsert'");
like(sql("SELECT copy_incremental_retry_rejects($run)"), qr/ERROR:  55000: rejected rows of run $run cannot be loaded, because run $later has loaded rows of its window since/, 'a window that was loaded again');
value(q[SELECT copy_incremental_forget('events', '2018-07-29', '2018-07-29')]);
like(sql("SELECT copy_incremental_retry_rejects($later)"), qr/ERROR:  55000: .*the run is forgotten HINT/, 'a run that is forgotten');
value('TRUNCATE events, pgci_runs, pgci_coverage, pgci_jobs');
value(create('days') . q{; SELECT copy_incremental_run_range('days', '[2018-07-28 00:00+00, 2018-07-31 00:00+00)'); DELETE FROM events WHERE at >= '2018-07-29 00:00+00' AND at < '2018-07-30 00:00+00'});
value(q[SELECT copy_incremental_forget('events', '2018-07-29', '2018-07-29')]);
is(value(q[SELECT string_agg(day || ' ' || status, ' ') FROM copy_incremental_missing('days', '2018-07-28', '2018-07-30')]), '2018-07-28 rejects 2018-07-29 missing 2018-07-30 rejects', 'a day of a run is forgotten');
is(value(view('missing_windows')), '1', 'it is missing');
like(sql('SELECT copy_incremental_retry_rejects(max(run_id)) FROM copy_incremental_runs'), qr/ERROR:  55000: .*the run is forgotten in part HINT/, 'the run is not completed without the day');
like(sql("CALL copy_incremental_catch_up('days')"), qr/job "days": 1 window, 22 rows/, 'the day is loaded again');
value('TRUNCATE events, pgci_runs, pgci_coverage, pgci_jobs');
$run = rejecting_run();
value('ALTER TABLE events DROP COLUMN note');
like(sql("SELECT copy_incremental_retry_rejects($run)"), qr/ERROR:  42804: source column "note" does not exist in target public\.events.*CONTEXT:  retrying the rejected rows of run $run into public\.events/, 'a column that was dropped');
value('ALTER TABLE events ADD COLUMN note text; ALTER TABLE events RENAME TO moved');
value('ALTER TABLE moved DROP CONSTRAINT positive; CREATE TABLE events (LIKE moved)');
is(sql("SELECT copy_incremental_retry_rejects($run)", 'SELECT count(*) FROM moved', 'SELECT count(*) FROM events'), '2 24 0', 'a target that was renamed: by OID');
value('DROP TABLE events; ALTER TABLE moved RENAME TO events; ALTER TABLE events ADD CONSTRAINT positive CHECK (value > 0) NOT VALID');
$run = rejecting_run();
like(sql('SET ROLE other', "SELECT copy_incremental_retry_rejects($run)"), qr/ERROR:  42501: permission denied for run $run/, 'a run of another user');
value('CREATE TABLE dropped (LIKE events); ALTER TABLE dropped ADD CONSTRAINT positive CHECK (value > 0)');
value(copy_sql($query, '2018-07-29', window_column => "'at'", on_error => "'reject'", target => "'dropped'"));
$run = last_run();
value('DROP TABLE dropped');
like(sql("SELECT copy_incremental_retry_rejects($run)"), qr/ERROR:  42P01/, 'a target that was dropped');
# Rights of the job, and on the target
value("SET ROLE owner; $_") for create('owned', mode => "'upsert'"), "SELECT copy_incremental_run('owned', '2018-07-29')";
$run = last_run();
value('ALTER TABLE events DROP CONSTRAINT positive');
like(sql('SET ROLE other', "SELECT copy_incremental_retry_rejects($run)"), qr/ERROR:  42501: permission denied for job "owned"/, q[another role's job]);
value('REVOKE UPDATE ON events FROM owner');
like(sql('SET ROLE owner', "SELECT copy_incremental_retry_rejects($run)"), qr/ERROR:  42501: permission denied for table events.*GRANT UPDATE/, 'a privilege that a run needs');
value('GRANT UPDATE ON events TO owner');
value('REVOKE owner FROM postgres');
like(sql("SELECT copy_incremental_retry_rejects($run)"), qr/ERROR:  42501: permission denied for job "owned" HINT:  Use SET ROLE owner/, 'a superuser, who would run what the owner has written');
is(sql('SET ROLE owner', "SELECT copy_incremental_retry_rejects($run)"), '2', 'the owner of the job');

# A row with a value that could not be decoded. Only a source that sends invalid values makes one.
value('ALTER TABLE events ADD CONSTRAINT positive CHECK (value > 0) NOT VALID');
$run = rejecting_run();
value("UPDATE pgci_rejects SET is_whole = false WHERE run_id = $run AND reject = 1; ALTER TABLE events DROP CONSTRAINT positive");
is(sql("SELECT copy_incremental_retry_rejects($run)"), "1NOTICE:  00000: 1 rejected row of run $run into public.events is not loaded DETAIL:  Not all values of 1 of them could be stored. HINT:  The view copy_incremental_rejects has their newest errors.",
	'a row that is not known cannot be loaded');

# Many rejects, in batches; two retries at once; a cancel.
value('TRUNCATE events; ALTER TABLE events ADD CONSTRAINT positive CHECK (value > 0)');
value(copy_sql('SELECT g AS id, -g AS value FROM generate_series(1, 5000) AS g', undef, target => "'events'", on_error => "'reject'", batch => 700));
$run = last_run();
value('ALTER TABLE events DROP CONSTRAINT positive, ADD CONSTRAINT few CHECK (value % 100 <> 0)');
my @sessions = map { $destination->background_psql('postgres', on_error_stop => 0) } 1 .. 2;
$_->query_safe('SET client_min_messages = warning') for @sessions;
$sessions[0]->query_safe("BEGIN; SELECT copy_incremental_retry_rejects($run)");
start_call($sessions[1], "SELECT copy_incremental_retry_rejects($run)");
ok(wait_until($destination, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), 'a second retry waits for the first');
$sessions[0]->query_safe('COMMIT');
$_->quit for @sessions;
is(sql('SELECT count(*), count(DISTINCT id) FROM events', "SELECT rejects FROM copy_incremental_runs WHERE run_id = $run", "SELECT count(*) FROM copy_incremental_rejects WHERE run_id = $run AND loaded_by IS NULL"),
	'4950|4950 50 50', 'each row is loaded once');
is(sql('SET client_min_messages = warning', q[BEGIN; ALTER TABLE events DROP CONSTRAINT few], "SELECT copy_incremental_retry_rejects($run)", 'ROLLBACK', "SELECT rejects FROM copy_incremental_runs WHERE run_id = $run", 'SELECT count(*) FROM events'),
	'50 50 4950', 'a rollback undoes all');
# The window was loaded again by another query: the row is there.
value(q[CREATE TABLE texts (id int, note varchar(4), at timestamptz)]);
$source->safe_psql('postgres', q[CREATE TABLE texts (id int, note text, at timestamptz); INSERT INTO texts VALUES (1, 'ok', '2018-07-29 12:00+00'), (2, 'too long', '2018-07-29 12:00+00')]);
my @texts = ('SELECT * FROM texts', window_column => "'at'", time_zone => "'UTC'", target => "'texts'", mode => "'replace'");
for my $again ([ 'a full load', copy_sql('SELECT * FROM texts', undef, mode => "'replace'", target => "'texts'") ],
	[ 'a job that was defined again', "SELECT copy_incremental_drop_job('texts'); " . define_job('texts', 'SELECT id, note, at FROM texts', @texts[ 1 .. $#texts ], first_day => "'2018-07-29'") . "; SELECT copy_incremental_run('texts', '2018-07-29')" ])
{
	my ($name, $load) = @$again;
	value('TRUNCATE texts; ALTER TABLE texts ALTER note TYPE varchar(4)');
	value(define_job('texts', @texts, on_error => "'reject'", first_day => "'2018-07-29'") . "; SELECT copy_incremental_run('texts', '2018-07-29')");
	my $rejecting = value('SELECT max(run_id) FROM copy_incremental_runs');
	value("ALTER TABLE texts ALTER note TYPE text; $load");
	fails_with($destination, "SELECT copy_incremental_retry_rejects($rejecting)", '55000', qr/has loaded rows of its window since/, "$name: no retry");
	is(value('SELECT count(*) FROM texts'), '2', "$name: each row once");
}
# Jobs of other slices of the same table are no reason.
value(q[TRUNCATE texts; ALTER TABLE texts ALTER note TYPE varchar(4)]);
my $slice = sub { my ($id) = @_; return define_job("texts_$id", "SELECT * FROM texts WHERE id = $id AND at >= \$1 AND at < \$2", time_zone => "'UTC'", target => "'texts'", mode => "'replace'", first_day => "'2018-07-29'",
		replace_where => "\$\$id = $id AND at >= \$1 AND at < \$2\$\$", on_error => "'reject'") . "; SELECT copy_incremental_run('texts_$id', '2018-07-29')" };
value($slice->(2));
my $of_slice = value('SELECT max(run_id) FROM copy_incremental_runs');
value($slice->(1) . '; ALTER TABLE texts ALTER note TYPE text');
is(value("SELECT copy_incremental_retry_rejects($of_slice)"), '1', 'a job of another slice');

# The window of the rejecting run is loaded again in parts.
value(q[DROP TABLE texts; CREATE TABLE texts (id int, note varchar(4), at timestamptz)]);
value(define_job('parts', @texts, on_error => "'reject'", first_day => "'2018-07-29'") . q{; SELECT copy_incremental_run_range('parts', '[2018-07-28 00:00+00, 2018-07-31 00:00+00)')});
is(value(q[SELECT rejects FROM copy_incremental_jobs WHERE job = 'parts']), '1', 'a reject in three days');
value("ALTER TABLE texts ALTER note TYPE text; SELECT copy_incremental_run('parts', d::date) FROM generate_series(timestamp '2018-07-28', '2018-07-30', '1 day') AS d");
is(value(q[SELECT rejects, rejecting_runs IS NULL FROM copy_incremental_jobs WHERE job = 'parts']), '0|t', 'loaded again day by day: no reject is left');
no_session_left($source, 'no session is left at the source');
done_testing();
