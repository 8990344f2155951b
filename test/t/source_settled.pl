# settle: is the window complete at the source? lookback: the days before it are loaded again with it.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "max_prepared_transactions = 2\nwal_level = replica\nmax_wal_senders = 5\n");
stay_in_the_day();
on_both('CREATE TABLE events (id int PRIMARY KEY, at timestamptz DEFAULT now(), note text)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO events VALUES (1, '2018-07-29 12:00'), (2, now())]);

# What a call prints: rows, warnings and errors.
sub said
{
	my ($query, $day, %argument) = @_;
	return one_line($destination, 'verbose', "TRUNCATE events, pgci_runs", copy_sql($query, $day, %argument)) =~ s/WARNING:  01000: .*? wrote \d rows//r;
}
my $query = 'SELECT * FROM events WHERE at >= $1 AND at < $2';
my $unsettled = qr/window [^ ]+ of (?:job "[^"]+" into )?[\w.]+ is not settled: the source may still commit rows of it/;
my $today = $destination->safe_psql('postgres', 'SELECT current_date');

is(said($query, '2018-07-29'), '1', 'a window of the past: nothing to say');
like(said($query, $today), qr/^1WARNING:  PI002: $unsettled DETAIL:  The source's clock shows .*\. HINT: /, 'a window that has not ended: a warning by default');
is(said($query, $today, settle => "'off'"), '1', 'off');
like(said($query, $today, settle => "'error'"), qr/ERROR:  PI002: $unsettled/, 'error');
like(said($query, $today, settle => "'later'"), qr/ERROR:  22023: invalid value for argument "settle": "later".*off, warn, wait, error/, 'another word');
is(said('SELECT * FROM events', undef), '2', 'a whole result has no end');
like(said('SELECT * FROM events', undef, settle => "'$_'"), qr/^ERROR:  22023: settle => '$_' has no meaning without a window HINT:  Pass a day/,
	"a whole result has no end: settle => '$_'") for 'error', 'wait';

# A transaction at the source that began before the window's end and has written. etl_reader may see since when.
$source->safe_psql('postgres', 'GRANT pg_read_all_stats TO etl_reader');
my $interval = "tstzrange(now() - interval '1 day', now())";
sub range_sql
{
	my ($interval, %argument) = @_;
	return copy_sql($query, undef, %argument) =~ s/copy_incremental\(/copy_incremental_range(/r =~ s/, NULL, 2000/, $interval, 2000/r;
}
my ($writer) = open_session($source);
$writer->query_safe("BEGIN; INSERT INTO events VALUES (3, now() - interval '1 second')");
like(one_line($destination, 'verbose', 'TRUNCATE events, pgci_runs', range_sql($interval)),
	qr/WARNING:  PI002: .*not settled.* DETAIL:  A transaction that has written at the source is open since \d{4}-.*\. HINT/, 'an open transaction: a warning');
like(one_line($destination, 'verbose', range_sql($interval, settle => "'error'")), qr/ERROR:  PI002: .*not settled/, 'an open transaction: an error');
is(said($query, '2018-07-29', settle => "'error'"), '1', 'an open transaction that began after the end of the window does not matter');

# wait: until it has ended, and then its rows are seen.
my ($waiting) = open_session($destination);
start_call($waiting, "TRUNCATE events, pgci_runs; " . range_sql($interval, settle => "'wait'"));
ok(wait_until($destination, q[SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%wait%' AND wait_event_type = 'Extension' AND pid <> pg_backend_pid()]),
	'wait: the call waits');
$writer->query_safe('COMMIT');
ok(wait_until($destination, 'SELECT count(*) = 2 FROM events'), 'wait: the row that was committed meanwhile is loaded');
$waiting->quit;

# A transaction that began before the end and has not written yet: its row is stamped with its begin. It is seen, or hidden.
my $waits = q[SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%wait%' AND wait_event_type = 'Extension' AND pid <> pg_backend_pid()];
for my $privilege ('GRANT pg_read_all_stats TO', 'REVOKE pg_read_all_stats FROM')
{
	for my $begin ('BEGIN', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM events')
	{
		my $name = "$privilege, $begin";
		$source->safe_psql('postgres', "$privilege etl_reader; DELETE FROM events WHERE id > 3");
		$writer->query_safe($begin);
		my $why = $privilege =~ /GRANT/ ? qr/.*is not settled: .* A transaction at the source, which may still write, is open since/
		  : qr/it is not known whether window .* is settled: .* its role may not see since when.*HINT:  GRANT pg_read_all_stats/;
		like(one_line($destination, 'verbose', 'TRUNCATE events, pgci_runs', range_sql($interval)), qr/WARNING:  PI002: $why/, "has not written, warn: $name");
		is($destination->safe_psql('postgres', 'SELECT settled FROM copy_incremental_runs'), 'f', "has not written, the ledger: $name");
		like(one_line($destination, 'verbose', range_sql($interval, settle => "'error'")), qr/ERROR:  PI002: $why/, "has not written, error: $name");
		my ($waiter) = open_session($destination);
		start_call($waiter, 'TRUNCATE events, pgci_runs; ' . range_sql($interval, settle => "'wait'"));
		ok(wait_until($destination, $waits), "has not written, wait: $name");
		$writer->query_safe('INSERT INTO events VALUES (10); COMMIT');
		ok(wait_until($destination, 'SELECT count(*) = 1 FROM events WHERE id = 10'), "has not written, its row is loaded: $name");
		$waiter->quit;
	}
}
my $often = one_line($destination, 'verbose', 'TRUNCATE events, pgci_runs', map { range_sql($_) } "tstzrange('2018-07-29', '2018-07-30')", "tstzrange('2018-07-28', '2018-07-29')");
unlike($often, qr/PI002/, 'nothing is open: nothing to say');
$writer->query_safe('BEGIN');
$often = one_line($destination, 'verbose', 'TRUNCATE events, pgci_runs', map { range_sql("tstzrange('2018-07-$_', '2018-07-${\($_ + 1)}')") } 20 .. 22);
is(scalar(() = $often =~ /it is not known/g), 1, 'what is not known is said once a day for each target');
$writer->query_safe("ROLLBACK; SET application_name = 'pg_dump'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
unlike(one_line($destination, 'verbose', 'TRUNCATE events, pgci_runs', range_sql($interval)), qr/PI002/, 'pg_dump does not write');
$writer->query_safe('INSERT INTO events VALUES (7, now())');
like(one_line($destination, 'verbose', 'TRUNCATE events, pgci_runs', range_sql($interval, settle => "'error'")), qr/ERROR:  PI002: /, 'a session that has taken its name and has written');
$writer->query_safe('ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$writer->query_safe('ROLLBACK; RESET application_name');
$source->safe_psql('postgres', 'GRANT pg_read_all_stats TO etl_reader; DELETE FROM events WHERE id > 3');

# A prepared transaction, whose begin nobody knows, is waited for, and a wait can be cancelled.
$writer->query_safe("BEGIN; INSERT INTO events VALUES (4); PREPARE TRANSACTION 'later'");
my ($cancelled, $pid) = open_session($destination);
start_call($cancelled, range_sql($interval, settle => "'wait'"));
ok(wait_until($destination, "SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $pid"), 'wait: a prepared transaction');
$destination->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
my ($sqlstate) = end_of_call($cancelled);
is($sqlstate, '57014', 'wait: cancelled');
$source->safe_psql('postgres', "ROLLBACK PREPARED 'later'");
no_session_left($source, 'wait: no session is left');
$cancelled->quit;

# Without the right to see since when: warn says that it does not know, error and wait are on the safe side.
$source->safe_psql('postgres', 'REVOKE pg_read_all_stats FROM etl_reader');
$writer->query_safe("BEGIN; INSERT INTO events VALUES (5, now() - interval '1 second')");
like(one_line($destination, 'verbose', 'TRUNCATE events, pgci_runs', range_sql($interval)), qr/^2WARNING:  PI002: it is not known/, 'a transaction whose begin is hidden: a warning');
like(one_line($destination, 'verbose', range_sql($interval, settle => "'error'")), qr/ERROR:  PI002: .*HINT:  GRANT pg_read_all_stats/, 'a transaction whose begin is hidden: an error');
my ($hidden) = open_session($destination);
start_call($hidden, 'TRUNCATE events, pgci_runs; ' . range_sql($interval, settle => "'wait'"));
# Not before it has looked: a session that still connects waits too, and would see the transaction that is to come later.
ok(wait_until($source, q[SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'etl_reader' AND query LIKE '%statement_timestamp()%' AND state LIKE 'idle%']),
	'wait: for a transaction whose begin is hidden');
my ($other) = open_session($source);
$other->query_safe('BEGIN; INSERT INTO events VALUES (6)');
$writer->query_safe('COMMIT');
ok(wait_until($destination, 'SELECT count(*) = 3 FROM events'), 'wait: not for those that come later');
$other->query_safe('ROLLBACK');
$_->quit for $hidden, $other, $writer;

# A standby that has not replayed so far.
$source->backup('base');
my $standby = new_source('standby');
$standby->init_from_backup($source, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "recovery_min_apply_delay = '1h'");
$standby->start;
my $port = $standby->port;
$destination->safe_psql('postgres', "ALTER SERVER src OPTIONS (SET port '$port')");
like(one_line($destination, 'verbose', range_sql($interval, settle => "'error'")), qr/ERROR:  PI002: .*The source is a standby that has replayed transactions up to/,
	'a standby that lags behind');
$standby->append_conf('postgresql.conf', 'recovery_min_apply_delay = 0');
$standby->reload;
my $end = $source->safe_psql('postgres', 'SELECT now()');
$source->safe_psql('postgres', 'UPDATE events SET note = $$late$$ WHERE id = 1');
ok(wait_until($standby, "SELECT pg_last_xact_replay_timestamp() > '$end'"), 'the standby has caught up');
is(one_line($destination, 'verbose', 'TRUNCATE events, pgci_runs', range_sql("tstzrange('2018-07-29', '$end')", settle => "'error'")), '4', 'a standby that has caught up');
$port = $source->port;
$destination->safe_psql('postgres', "ALTER SERVER src OPTIONS (SET port '$port')");
$standby->stop;

# lookback.
$source->safe_psql('postgres', "TRUNCATE events; INSERT INTO events SELECT g, timestamptz '2018-03-01 12:00+00' + g * interval '1 day' FROM generate_series(0, 29) AS g");
my @week = ($query, '2018-03-15', time_zone => "'America/New_York'");
copies($destination, 'TRUNCATE events, pgci_runs; ' . copy_sql(@week, mode => "'upsert'"), 1, 'SELECT id FROM events', 14, 'lookback: none');
$source->safe_psql('postgres', "UPDATE events SET note = 'late' WHERE id IN (7, 8)");
copies($destination, copy_sql(@week, mode => "'upsert'", lookback => 6), 6, q[SELECT string_agg(id || coalesce(note, ''), ' ' ORDER BY id) FROM events],
	'8late 9 10 11 12 13 14', 'lookback: six days more');
is($destination->safe_psql('postgres', q[SET TimeZone = 'America/New_York'; SELECT data_interval FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1]),
	'["2018-03-09 00:00:00-05","2018-03-16 00:00:00-04")', 'lookback: the ledger has the larger window, over a change of the clocks');
copies($destination, copy_sql(@week, mode => "'replace'", lookback => 7, replace_where => q['at >= $1 AND at < $2']), 8,
	'SELECT count(*) FROM events', 8, 'lookback: the slice of mode replace grows too');
copies($destination, range_sql("tstzrange('2018-03-15 08:30-04', '2018-03-15 10:00-04')", mode => "'upsert'", lookback => 7, time_zone => "'America/New_York'"), 0,
	q[SET TimeZone = 'America/New_York'; SELECT data_interval FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1],
	'["2018-03-08 08:30:00-05","2018-03-15 10:00:00-04")', 'lookback: a range begins at the same time of day');
for my $case (
	[ { lookback => 1 }, qr/lookback has no meaning in mode append/, 'not in mode append' ],
	[ { lookback => -1, mode => "'upsert'" }, qr/lookback must be between 0 and 3660, not -1/, 'not in the future' ],
	[ { lookback => 'NULL', mode => "'upsert'" }, qr/argument "lookback" must not be null/, 'not NULL' ])
{
	my ($argument, $message, $name) = @$case;
	fails_with($destination, copy_sql($query, '2018-03-15', %$argument), $argument->{lookback} eq 'NULL' ? '22004' : '22023', $message, "lookback: $name");
}
fails_with($destination, copy_sql('SELECT * FROM events', undef, mode => "'upsert'", lookback => 1), '22023', qr/lookback has no meaning without a window/,
	'lookback: not without a window');
fails_with($destination, copy_sql("SELECT * FROM events WHERE at::date = '{}'", '2018-03-15', mode => "'upsert'", lookback => 1), '22023', qr/\{|day/,
	'lookback: not with the placeholder of one day');
# The second look is not in the transaction of the first one, in which pg_stat_activity would show the same sessions again: a
# session that was idle has begun a transaction while the call waited for a lock.
$source->safe_psql('postgres', 'GRANT pg_read_all_stats TO etl_reader');
{
	my ($application, $application_pid) = open_session($source);
	my ($locker) = open_session($source);
	my ($loader) = open_session($destination);
	for (my $seconds = 4;; $seconds *= 2)
	{
		$application->query_safe('SELECT 1');
		$locker->query_safe('BEGIN; LOCK TABLE events');
		my $end = $source->safe_psql('postgres', "SELECT clock_timestamp() + interval '$seconds seconds'");
		start_call($loader, 'TRUNCATE events, pgci_runs; ' . range_sql("tstzrange(timestamptz '$end' - interval '1 day', '$end')", settle => "'error'"));
		ok(wait_until($source, q[SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass]), 'two looks: the call waits for a lock');
		$application->query_safe('BEGIN; SELECT now()');
		my $is_in_time = $source->safe_psql('postgres', "SELECT xact_start < '$end' FROM pg_stat_activity WHERE pid = $application_pid") eq 't';
		ok(wait_until($source, "SELECT clock_timestamp() > '$end'"), 'two looks: the window ends');
		$locker->query_safe('COMMIT');
		my $settled = $is_in_time ? (end_of_call($loader))[0] : '';
		$loader->query('SELECT 1');
		$application->query_safe('COMMIT');
		$loader->{stderr} = '';
		next unless $is_in_time;
		is($settled, 'PI002', 'two looks: the transaction that began between them is seen');
		last;
	}
	$_->quit for $application, $locker, $loader;
}

# off: what counts is whether the window had ended when it was read, not when the run ended.
{
	$source->safe_psql('postgres', 'CREATE TABLE slow (id int, at timestamptz); INSERT INTO slow SELECT g, now() FROM generate_series(1, 40) AS g');
	$destination->safe_psql('postgres', 'CREATE TABLE slow (id int, at timestamptz)');
	$destination->safe_psql('postgres', define_job('slow', 'SELECT * FROM slow', window_column => "'at'", target => "'slow'", mode => "'replace'", settle => "'off'", max_rows_per_second => 10, batch => 5, first_day => 'current_date'));
	is($destination->safe_psql('postgres', q[SELECT copy_incremental_run_range('slow', tstzrange(now() - interval '1 hour', now() + interval '2 seconds'))]), '40', 'off: a window that ends during the run');
	is($destination->safe_psql('postgres', q[SELECT covered FROM copy_incremental_jobs WHERE job = 'slow']), '{}', 'off: it is not covered');
	$destination->safe_psql('postgres', q[SELECT copy_incremental_drop_job('slow')]);
}

# A session that does not show its activity.
{
	my ($silent) = open_session($source);
	$silent->query_safe('SET track_activities = off');
	$silent->query_safe('BEGIN; SELECT now()');
	like(one_line($destination, 'verbose', range_sql($interval, settle => "'error'")), qr/ERROR:  PI002: it is not known whether/, 'track_activities = off: it is not known');
	$silent->query_safe('COMMIT');
	$silent->quit;
	unlike(one_line($destination, 'verbose', range_sql($interval, settle => "'error'", on_rerun => "'run'")), qr/PI002/, 'track_activities = off, idle: settled');
}

# A foreign table at the source: the transactions of its own server are not seen.
my ($source_port, $password) = ($source->port, $TwoServers::password);
$source->safe_psql('postgres', <<~SQL);
	DELETE FROM events; INSERT INTO events VALUES (1, '2018-07-29 12:00');
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER behind FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$source_port', dbname 'postgres');
	CREATE USER MAPPING FOR PUBLIC SERVER behind OPTIONS (user 'etl_reader', password '$password');
	CREATE FOREIGN TABLE hub (id int, at timestamptz, note text) SERVER behind OPTIONS (table_name 'events');
	CREATE VIEW seen AS SELECT * FROM hub;
	CREATE TABLE parts (id int, at timestamptz, note text) PARTITION BY LIST (id);
	CREATE FOREIGN TABLE part PARTITION OF parts DEFAULT SERVER behind OPTIONS (table_name 'events');
	GRANT SELECT ON hub, seen, parts, part TO etl_reader;
	SQL
for my $relation ('hub', 'seen', 'parts')
{
	my $foreign = $relation eq 'parts' ? 'part' : 'hub';
	my $load = sub { my ($settle) = @_; return 'TRUNCATE events, pgci_runs; ' . copy_sql("SELECT * FROM $relation", '2018-07-29', window_column => "'at'", target => "'events'", settle => "'$settle'") };
	my $doubt = qr/PI002: it is not known whether window 2018-07-29 .* DETAIL:  public\.$foreign of the source is a foreign table\./;
	like(one_line($destination, 'verbose', $load->($_)), qr/ERROR:  $doubt/, "$relation: $_") for 'error', 'wait';
	like(one_line($destination, 'verbose', $load->('warn')), qr/^1WARNING:  $doubt/, "$relation: warn");
	is($destination->safe_psql('postgres', 'SELECT settled FROM copy_incremental_runs'), 'f', "$relation: the ledger");
	is(one_line($destination, 'verbose', $load->('off')), '1', "$relation: off");
}
my @hub = ('hub', 'SELECT * FROM hub', window_column => "'at'", target => "'events'", first_day => 'current_date - 1', mode => "'replace'", replace_where => q['at >= $1 AND at < $2']);
like(one_line($destination, 'verbose', define_job(@hub)), qr/WARNING:  PI002: it is not known whether a window of job "hub" is settled/, 'the definition of a job warns');
like(one_line($destination, 'verbose', q[SELECT value FROM copy_incremental_explain('hub') WHERE item = 'warning']), qr/it is not known whether window .* is a foreign table/, 'so does explain');
is(one_line($destination, 'verbose', define_job(@hub, settle => "'off'")), '', 'not with settle => off');

no_session_left($source, 'no session is left at the source');
done_testing();
