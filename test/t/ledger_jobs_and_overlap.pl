# What a job's record of loaded windows must stay true to: overlapping runs, changed definitions, targets that come and go.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
on_both('CREATE TABLE rows (id int, moment timestamptz NOT NULL)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO rows SELECT g, timestamptz '2018-07-28 00:00+00' + g * interval '1 hour' FROM generate_series(0, 95) AS g]);

sub sql { return one_line($destination, 'verbose', @_) }
sub create
{
	my ($name, %option) = @_;
	my $query = delete $option{query} // 'SELECT * FROM rows';
	my %argument = (first_day => "'2018-07-28'", time_zone => "'UTC'", window_column => "'moment'", target => "'rows'",
		lag => q[now() - '2018-08-01 12:00+00'], %option);
	return "SELECT copy_incremental_create_job('$name', 'src', '$query'" . join('', map { ", $_ => $argument{$_}" } grep { defined $argument{$_} } sort keys %argument) . ')';
}
sub covered { my ($job) = @_; return sql("SELECT covered FROM copy_incremental_jobs WHERE job = '$job'") }
my $count = 'SELECT count(*), count(DISTINCT id) FROM rows';
my $clear = 'TRUNCATE rows, pgci_runs, pgci_coverage, pgci_jobs';
# Runs statements in a session that stays in its transaction, others beside it that must wait for its commit; what these say.
sub beside
{
	my ($first, $second) = @_;
	my ($session) = open_session($destination);
	$session->query_safe("BEGIN; $first");
	my $other = start_client($destination, 'beside', $second);
	ok(wait_until($destination, "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'beside' AND wait_event_type = 'Lock'"), "waits: $second");
	$session->query_safe('COMMIT');
	my ($state) = end_of_client($other);
	$session->quit;
	return $state;
}

# Overlapping windows of one job
sql(create('ov'));
is(beside("SELECT copy_incremental_run('ov', '2018-07-29')", q{SELECT copy_incremental_run_range('ov', '[2018-07-29 00:00+00, 2018-07-29 06:00+00)')}), 'PI001', 'a part of a day beside the day');
is(sql($count), '24|24', 'and it is not loaded twice');
for my $mode ('append', 'replace')
{
	sql($clear, create('hours', window_size => "'3 hours'", mode => "'$mode'"));
	beside(q{SELECT copy_incremental_run_range('hours', '[2018-07-29 03:00+00, 2018-07-29 06:00+00)')}, "SELECT copy_incremental_run('hours', '2018-07-29')");
	is(sql($count), $mode eq 'append' ? '3|3' : '24|24', "$mode: a day beside one of its windows");
}
my ($session) = open_session($destination);
$session->query_safe("BEGIN; SELECT copy_incremental_run('hours', '2018-07-30')");
is(sql(q{SELECT copy_incremental_run_range('hours', '[2018-07-31 00:00+00, 2018-07-31 03:00+00)')}), '3', 'windows that do not overlap do not wait');
$session->query_safe('COMMIT');
$session->quit;

# A definition does not change under its runs.
sql($clear, create('changed'));
is(beside("SELECT copy_incremental_run('changed', '2018-07-29')", create('changed', window_size => "'6 hours'", or_replace => 'true')), '00000', 'or_replace waits for a run');
is(beside("SELECT copy_incremental_run_range('changed', tstzrange('2018-07-30', '2018-07-31'))", "SELECT copy_incremental_drop_job('changed')"), '00000', 'drop_job waits for a run');

# forget beside a run of another window
sql($clear, create('f'), q[SELECT copy_incremental_run('f', '2018-07-28')]);
is(beside("SELECT copy_incremental_run('f', '2018-07-29')", q[SELECT copy_incremental_forget('rows', '2018-07-28', '2018-07-28', 'f')]), '00000', 'forget beside a run');
is(covered('f'), '{["2018-07-29 00:00:00+00","2018-07-30 00:00:00+00")}', 'what was forgotten is not covered');
sql($clear, create('two', window_size => "'2 days'"), q[SELECT copy_incremental_run('two', '2018-07-28')]);
like(sql(q[SELECT copy_incremental_forget('rows', '2018-07-28', '2018-07-28', 'two')]), qr/ERROR:  22023: the days are not whole windows of job "two"/, 'a part of a window is not forgotten');
is(sql(q[SELECT copy_incremental_forget('rows', '2018-07-28', '2018-07-29', 'two')], q[SELECT covered FROM copy_incremental_jobs]), '1 {}', 'a whole one is');

# A run has loaded three days, and the rows of the second are gone. Whoever loads it again finds it missing.
my $range = '[2018-07-28 00:00+00, 2018-07-31 00:00+00)';
my $forget = sub { return "SELECT copy_incremental_forget('rows', '$_[0]', '$_[0]')" };
my $gone = q[DELETE FROM rows WHERE moment >= '2018-07-29 00:00+00' AND moment < '2018-07-30 00:00+00'];
my $by_call = "SELECT copy_incremental_range('src', 'SELECT * FROM rows', '$range', 2000, window_column => 'moment', target => 'rows')";
my $by_job = "SELECT copy_incremental_run_range('part', '$range')";
for my $case (
	[ 'a run of the job', create('part'), $by_job ],
	[ 'a run of the job in mode replace', create('part', mode => "'replace'"), $by_job, create('part', or_replace => 'true') ],
	[ 'a call, then the job', $by_call, create('part'), q[CALL copy_incremental_catch_up('part')] ],
	[ 'another job', create('other'), "SELECT copy_incremental_run_range('other', '$range')", create('part', on_rerun => "'skip'"), q[CALL copy_incremental_catch_up('part')], q[SELECT copy_incremental_drop_job('other')] ])
{
	my ($name, @statements) = @$case;
	sql('SET TimeZone = UTC', $clear, @statements, $gone);
	sql('SET TimeZone = UTC', $forget->('2018-07-29'));
	is(sql(q[SELECT count(*) FROM copy_incremental_runs WHERE status = 'succeeded' AND data_interval = '] . $range . q[']), '1', "$name: the run stays");
	like(sql(q[SELECT day FROM copy_incremental_missing('part', '2018-07-28', '2018-07-30')]), qr/^2018-07-29$/, "$name: the day is missing");
	like(sql(q[SELECT copy_incremental_run('part', '2018-07-28')]), qr/^(0NOTICE.*skipping|ERROR:  PI001)/, "$name: another day is not loaded again");
	sql(q[CALL copy_incremental_catch_up('part')]);
	is(sql($count), '96|96', "$name: the day is loaded");
	like(sql(q[SELECT copy_incremental_run('part', '2018-07-29')]), qr/^(0NOTICE.*skipping|ERROR:  PI001)/, "$name: once");
}
sql('SET TimeZone = UTC', $clear, $by_call, $gone);
is(sql('SET TimeZone = UTC', $forget->('2018-07-29'), $by_call =~ s/\[.*\)', /[2018-07-29, 2018-07-30)', /r, $count), '1 24 72|72', 'a part of a call');
like(sql('SET TimeZone = UTC', $by_call), qr/ERROR:  PI001: .*was already loaded/, 'the whole of it is loaded');
is(sql('SET TimeZone = UTC', map({ $forget->("2018-07-$_") } 28 .. 30), 'SELECT DISTINCT status FROM copy_incremental_runs'), '1 1 1 forgotten', 'all parts');

# A partition was the target of a call, and then the partitioned table is truncated.
sql($clear, q[CREATE TABLE parted (LIKE rows) PARTITION BY RANGE (moment); CREATE TABLE parted_28 PARTITION OF parted FOR VALUES FROM ('2018-07-28 00:00+00') TO ('2018-07-29 00:00+00');
	CREATE TABLE parted_rest PARTITION OF parted DEFAULT]);
my $two_days = q[CALL copy_incremental_backfill('parted', '2018-07-28', '2018-07-29')];
sql('SET TimeZone = UTC', copy_sql('SELECT * FROM rows', '2018-07-28', window_column => "'moment'", target => "'parted_28'"), create('parted', target => "'parted'"), $two_days);
is(sql('SELECT count(*), count(DISTINCT id) FROM parted', 'TRUNCATE parted', q[SELECT copy_incremental_forget('parted', NULL, NULL)], $two_days, 'SELECT count(*) FROM parted') =~ s/NOTICE.*//r, '48|48 2 48', 'forget: runs into partitions, too');

# Jobs of one query, whose transforms write other rows
for my $part (0, 1) { sql($part == 0 ? $clear : (), create("part $part", transform => "'SELECT id, moment FROM batch WHERE id % 2 = $part'"), "CALL copy_incremental_backfill('part $part', '2018-07-28', '2018-07-28')") }
like(sql(q[CALL copy_incremental_backfill('part 1', '2018-07-28', '2018-07-28')]), qr/PI001: .*loaded in part/, 'a job with another transform does not take the rows of the first as its own');
is(covered('part 1'), '{}', 'nor covers them');

# A target with rejected rows is not exchanged.
sql($clear, 'CREATE TABLE rejecting (LIKE rows, CHECK (id <> 2))', create('rejecting', target => "'rejecting'", on_error => "'reject'"), q[SELECT copy_incremental_run('rejecting', '2018-07-28')]);
like(sql(create('rejecting', on_error => "'reject'", or_replace => 'true')), qr/ERROR:  0A000: the target of job "rejecting" cannot be changed/, 'nor may the target of a window with rejected rows');

# forget in a transaction that began before a run
sql($clear, create('f'));
my ($old) = open_session($destination);
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
sql(q[SELECT copy_incremental_run('f', '2018-07-28')]);
is((outcome_of($old, q[SELECT copy_incremental_forget('rows', '2018-07-28', '2018-07-28', 'f')]))[0], '40001', 'forget does not see the run');
$old->query('ROLLBACK');
$old->quit;

# One server, and two users of the source that see other tables
$source->safe_psql('postgres', "CREATE SCHEMA others; CREATE TABLE others.rows AS SELECT id + 1000 AS id, moment FROM rows; GRANT USAGE ON SCHEMA others TO etl_trusted; GRANT SELECT ON others.rows TO etl_trusted; ALTER ROLE etl_trusted SET search_path = others");
$destination->safe_psql('postgres', "CREATE ROLE twin SUPERUSER; CREATE USER MAPPING FOR twin SERVER src OPTIONS (user 'etl_trusted', password_required 'false')");
sql($clear, create('mine'), q[CALL copy_incremental_backfill('mine', '2018-07-28', '2018-07-28')]);
like(sql('SET ROLE twin', create('twin'), q[CALL copy_incremental_backfill('twin', '2018-07-28', '2018-07-28')]), qr/PI001: .*was loaded in part by another job or call/, 'what another user of the source has read is not taken as loaded');
is(sql($count, q[SELECT covered FROM copy_incremental_jobs WHERE job = 'twin']), '24|24 {}', 'and not covered');
$destination->safe_psql('postgres', 'DROP USER MAPPING FOR twin SERVER src');

# A whole result was read at a moment when its windows may not have been settled.
sql($clear, create('whole', map({ $_ => undef } qw(first_day time_zone window_column lag)), window_size => 'NULL'), q[SELECT copy_incremental_run('whole', NULL)], create('whole', or_replace => 'true'));
like(sql(q[CALL copy_incremental_backfill('whole', '2018-07-28', '2018-07-28')]), qr/PI001: .*loaded in part/, 'windows are not taken as loaded by a whole result');
is(covered('whole'), '{}', 'nor covered');

# A run that has not loaded all came after one that had.
my $by_replace = sub { my ($call, %option) = @_; return $call->('SELECT * FROM rows', '2018-07-28', mode => "'replace'", window_column => "'moment'", target => "'spoiled'", %option) };
for my $case (
	[ 'batches that failed', 'in part', sub { by_batches($by_replace->(\&copy_sql, batch => 1)) } ],
	[ 'rejects', 'except for rejected rows', sub { $by_replace->(\&copy_sql, on_error => "'reject'") } ])
{
	my ($name, $said, $call) = @$case;
	sql('SET TimeZone = UTC', $clear, 'DROP TABLE IF EXISTS spoiled', 'CREATE TABLE spoiled (LIKE rows)', $by_replace->(\&copy_sql), 'ALTER TABLE spoiled ADD CHECK (id <> 3) NOT VALID');
	sql('SET TimeZone = UTC', $call->());
	like(sql(create('spoiled', target => "'spoiled'"), q[CALL copy_incremental_backfill('spoiled', '2018-07-28', '2018-07-28')]), qr/PI001: .*loaded,? $said/, "$name: an earlier run does not count");
	is(covered('spoiled'), '{}', "$name: not covered");
}

# Runs of a job that was dropped
sql($clear, create('d'), q[SELECT copy_incremental_run('d', '2018-07-28')], q[SELECT copy_incremental_drop_job('d')], create('d'), 'TRUNCATE rows');
is(sql(q[SELECT copy_incremental_forget('rows', '2018-07-28', '2018-07-28', 'd')], q[CALL copy_incremental_backfill('d', '2018-07-28', '2018-07-28')], $count) =~ s/NOTICE.*//r, '1 24|24', 'forget: of a job, and of the dropped one');

# The same call with a transform
$source->safe_psql('postgres', 'CREATE FUNCTION day_of_rows(timestamptz, timestamptz) RETURNS SETOF rows STABLE LANGUAGE sql AS $$SELECT * FROM rows WHERE moment >= $1 AND moment < $2$$');
my @by_function = ('SELECT * FROM day_of_rows($1, $2)', '2018-07-28', on_rerun => "'error'", target => "'rows'");
sql($clear, copy_sql(@by_function));
like(sql(copy_sql(@by_function, transform => "'SELECT * FROM batch'")), qr/ERROR:  PI001/, 'a transform does not load the window again');

# or_replace
sql($clear, create('kept', first_day => "'2018-07-20'", time_zone => "'Asia/Tokyo'"), create('kept', first_day => undef, time_zone => undef, or_replace => 'true'));
is(sql('SELECT first_day, time_zone FROM copy_incremental_jobs'), '2018-07-20|Asia/Tokyo', 'or_replace keeps the first day and the time zone that are not passed');
is(sql(create('kept', time_zone => "'UTC'", or_replace => 'true')), '', 'before the first run the zone may change');
like(sql(q[SELECT copy_incremental_run('kept', '2018-07-29')], create('kept', time_zone => "'Asia/Tokyo'", or_replace => 'true')),
	qr/^24 ?ERROR:  0A000: the time zone of job "kept" cannot be changed/, 'after it no more');
like(sql(create('kept', time_zone => undef, window_column => "'other'", query => 'SELECT id, moment, moment AS other FROM rows', transform => "'SELECT id, moment FROM batch'", or_replace => 'true')),
	qr/^ERROR:  0A000: window_column of job "kept" cannot be changed/, 'nor the column that decides on the windows');

# forget waits for a run of the window, whose record it would otherwise miss.
sql($clear, create('forgotten'));
is(beside("SELECT copy_incremental_run('forgotten', '2018-07-29')", q[SELECT copy_incremental_forget('rows', '2018-07-29', '2018-07-29')]), '00000', 'forget waits for a run that is under way');
is(covered('forgotten'), '{}', 'and forgets its window');
sql('SELECT copy_incremental_run(\'forgotten\', \'2018-07-28\')');
is(beside(q[SELECT copy_incremental_forget('rows', NULL, NULL)], "SELECT copy_incremental_run('forgotten', '2018-07-28')"), '00000', 'a run waits for forget');

# A name that two transactions define
my $again = create('new', batch => 7, or_replace => 'true');
my $stored = q[SELECT string_agg(concat_ws(' ', job, version, options->>'batch'), ', ') FROM pgci_jobs];
sql($clear);
is(beside(create('new', or_replace => 'true'), $again), '00000', 'or_replace of a new name waits for another one');
is(sql($stored), 'new 2 7', 'and replaces its job');
sql($clear);
is(beside(create('new', or_replace => 'true'), create('new')), '42710', 'without or_replace the second definition is an error');
is(beside("SELECT copy_incremental_drop_job('new'); " . create('new'), $again), '00000', 'or_replace waits for a transaction that drops the job and defines it again');
is(sql($stored), 'new 2 7', 'and replaces the second job');
is(beside("SELECT copy_incremental_drop_job('new')", $again), '00000', 'or_replace waits for a transaction that drops the job');
is(sql($stored), 'new 1 7', 'and defines it again');

# Targets
sql($clear, create('later', target => "'later'"));
like(sql('CREATE TEMP TABLE later (LIKE rows)', q[SELECT copy_incremental_run('later', '2018-07-28')]), qr/ERROR:  42P01: table public\.later, the target of job "later", does not exist/, 'a temporary table of the name is no target');
like(sql('CREATE TEMP TABLE temporary (LIKE rows)', create('temporary', target => "'temporary'")), qr/ERROR:  0A000: a job cannot load into a temporary table/, 'nor can it be named');
is(sql('CREATE SCHEMA s', 'CREATE TABLE s.later (LIKE rows)', 'SET search_path = s, public', q[SELECT copy_incremental_run('later', '2018-07-28')]), '24', 'the first run finds the target');
is(sql('CREATE TABLE later (LIKE rows)', q[SELECT copy_incremental_run('later', '2018-07-29')], 'SELECT count(*) FROM s.later'), '24 48', 'and it is the target of the next ones');
like(sql('DROP TABLE s.later', 'CREATE TABLE s.later (LIKE rows)', q[SELECT copy_incremental_run('later', '2018-07-30')]), qr/ERROR:  42P01: .* It was dropped/s, 'until it is dropped');
like(sql(create('later', target => "'rows'", or_replace => 'true')), qr/ERROR:  0A000: the target of job "later" cannot be changed/, 'then the job has no other');
# As after a restore without the table
like(sql("UPDATE pgci_jobs SET target = '-'", q[SELECT copy_incremental_run('later', '2018-07-30')]), qr/ERROR:  42P01: .* It was dropped/s, 'a restore does not revive it');

# What is not known to be complete is not covered.
sql($clear, create('early', settle => "'off'"), q[SELECT copy_incremental_run('early', current_date + 2)]);
is(covered('early'), '{}', 'a window that has not ended');

# Whose jobs
$destination->safe_psql('postgres', <<~SQL);
	CREATE ROLE author;
	CREATE ROLE member ROLE postgres IN ROLE author;
	GRANT INSERT, SELECT ON rows TO author, member;
	GRANT USAGE ON FOREIGN SERVER src TO author, member;
	CREATE USER MAPPING FOR author SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	CREATE USER MAPPING FOR member SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	SELECT copy_incremental_grant('author'), copy_incremental_grant('member');
	TRUNCATE rows, pgci_runs, pgci_coverage, pgci_jobs;
	SQL
like(sql('SET ROLE author', create('hers'), 'RESET ROLE', 'SET ROLE member', 'CALL copy_incremental_catch_up()', 'SELECT count(*) FROM rows'),
	qr/^ *0NOTICE:  00000: no job of role "\w+" has a window that is due/, 'catch_up without a name runs no job of another role');
is(sql('SET ROLE member', q[SELECT copy_incremental_run('hers', '2018-07-28')]), '24', 'by its name a member runs it');

# Names and days
like(sql("SELECT copy_incremental_run('a' || repeat('\x{c3}\x{a9}', 40), '2018-07-28')"), qr/ERROR:  42704: job /, 'a long name of many bytes');
like(sql(create('apia', time_zone => "'Pacific/Apia'"), q[SELECT copy_incremental_run('apia', '2011-12-30')]), qr/ERROR:  22008: day 2011-12-30 does not exist in time zone "Pacific\/Apia"/, 'a day that clocks skip');
like(sql("UPDATE pgci_jobs SET time_zone = 'Mars/Base' WHERE job = 'apia'", 'SELECT job, due_to FROM copy_incremental_jobs ORDER BY job'), qr/apia\| hers\|2018/, 'a zone that this server does not know hides no other job');

# A definition that changes between the moment when a run reads it and the moment when the run locks it.
my ($holder) = open_session($destination);
for my $case ([ 'changed', create('raced', batch => 7, or_replace => 'true'), '55000' ], [ 'dropped', q[SELECT copy_incremental_drop_job('raced')], '42704' ])
{
	my ($what, $change, $state) = @$case;
	sql($clear, create('raced'));
	$holder->query_safe("BEGIN; $change");
	my $client = start_client($destination, 'late', q[SELECT copy_incremental_run('raced', '2018-07-29')]);
	ok(poll_session($holder, q[SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted]), "a run of a job that is being $what waits");
	$holder->query_safe('COMMIT');
	my ($ended, undef, $message) = end_of_client($client);
	is($ended, $state, "a run of a job that was $what meanwhile ends");
	like($message, qr/job "raced" was $what while a run of it began/, "a run of a job that was $what meanwhile: the message");
	is(sql('SELECT count(*) FROM rows'), '0', "a run of a job that was $what meanwhile: nothing is loaded");
}
$holder->quit;

no_session_left($source, 'no session is left at the source');
done_testing();
