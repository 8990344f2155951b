# Every statement of every function gets every answer that no question of ours expects: one clear error, or, where the
# answer may be an honest one, the result. The server does not restart, nothing is written, no session, descriptor or
# memory is left.
use strict;
use warnings;

use HostileAnswers;
use HostileProxy;
use PostgreSQL::Test::Utils;
use List::Util qw(max uniq);
use TwoServers;
use Test::More;
use Time::HiRes qw(usleep);

my ($source, $destination) = start_servers(source => "autovacuum = off\n", destination => "restart_after_crash = on\n");
on_both('CREATE TABLE rows (id int PRIMARY KEY, at timestamptz, note text)', $source, $destination);
$source->safe_psql('postgres', <<~'SQL');
	INSERT INTO rows SELECT g, timestamptz '2018-07-29 00:00+00' + g * interval '1 hour', 'row ' || g FROM generate_series(1, 12) AS g;
	CREATE TABLE large AS SELECT g AS id, timestamptz '2018-07-28 00:00+00' + g * interval '1 s' AS at, 'a row' AS note FROM generate_series(1, 100000) AS g;
	CREATE TABLE numbered (id serial, note text);
	INSERT INTO numbered (note) SELECT 'row ' || g FROM generate_series(1, 5) AS g;
	ANALYZE;
	SQL
# Table rows of the target differs, so that verify looks at buckets and rows; id has no key where rows are loaded.
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE arrivals (id int, at timestamptz, note text);
	CREATE FUNCTION set_up() RETURNS void LANGUAGE sql AS $$
		TRUNCATE rows, arrivals, pgci_runs, pgci_rejects;
		INSERT INTO rows SELECT g, timestamptz '2018-07-29 00:00+00' + g * interval '1 hour', CASE WHEN g <> 7 THEN 'row ' || g END FROM generate_series(1, 11) AS g;
		INSERT INTO arrivals VALUES (0, '2018-01-01', 'was here')
	$$;
	CREATE VIEW state AS SELECT concat_ws(' ', (SELECT md5(string_agg(rows::text, ',' ORDER BY rows::text)) FROM rows),
		(SELECT count(*) || ' ' || md5(string_agg(arrivals::text, ',' ORDER BY arrivals::text)) FROM arrivals),
		(SELECT count(*) FROM copy_incremental_rejects),
		(SELECT string_agg(status || ' ' || rows_written, ',') FROM copy_incremental_runs WHERE status <> 'failed')) AS state;
	SELECT set_up();
	SQL

# --- the calls: one of each function, and of each way that asks otherwise

my $window = 'WHERE at >= $1 AND at < $2';
my @rows = ("SELECT id, at, note FROM rows $window", '2018-07-29');
my @large = ("SELECT id, at, note FROM large $window AND note <> ''", '2018-07-29');
my @into = (target => "'arrivals'");
my @first = (first_day => "'2018-07-29'");
my %calls = (
	'copy_incremental' => copy_sql(@rows, @into),
	'copy_incremental by name' => copy_sql(@rows, mode => "'skip'"),
	'copy_incremental settle wait' => copy_sql(@rows, @into, settle => "'wait'"),
	'copy_incremental settle error' => copy_sql(@rows, @into, settle => "'error'"),
	'copy_incremental settle off' => copy_sql(@rows, @into, settle => "'off'"),
	'copy_incremental verify' => copy_sql(@rows, @into, mode => "'replace'", replace_where => "'at >= \$1 AND at < \$2'", verify => 'true'),
	'copy_incremental upsert' => copy_sql(@rows, mode => "'upsert'"),
	'copy_incremental transform' => copy_sql(@rows, @into, transform => "'SELECT * FROM batch'"),
	'copy_incremental reject' => copy_sql(@rows, @into, on_error => "'reject'"),
	'copy_incremental copy' => copy_sql(@rows, @into, method => "'copy'"),
	'copy_incremental lookback' => copy_sql(@rows, mode => "'upsert'", lookback => 1),
	'copy_incremental small batch' => copy_sql(@rows, @into, batch => 5),
	'copy_incremental_range' => copy_sql(@rows, @into) =~ s/copy_incremental/copy_incremental_range/r =~
	  s/'2018-07-29'/'[2018-07-29 00:00+00,2018-07-30 00:00+00)'/r,
	'copy_incremental_batches' => by_batches(copy_sql(@rows, @into, batch => 5)),
	'copy_incremental_create_job' => define_job('defined', $rows[0], @first, @into),
	'copy_incremental_run' => look_sql('run', @rows, @into),
	'copy_incremental_run_ids' => stored_job('of ids', 'SELECT id, note FROM numbered', @first, window_column => "'id'", @into) .
	  q[; UPDATE pgci_jobs SET window_size = NULL, window_size_rows = 100; SELECT copy_incremental_run_ids('of ids', int8range(1, 4))],
	'copy_incremental_run_range' => look_sql('run_range', @rows, @into) =~ s/'2018-07-29'\)$/'[2018-07-29 00:00+00,2018-07-30 00:00+00)')/r,
	'copy_incremental_backfill' => stored_job('filled', $rows[0], @first, @into) . "; CALL copy_incremental_backfill('filled', '2018-07-29', '2018-07-29')",
	'copy_incremental_catch_up' => stored_job('caught_up', $rows[0], first_day => 'current_date - 1', @into) . "; CALL copy_incremental_catch_up('caught_up')",
	'copy_incremental_start' => look_sql('start', @rows, @into) .
	  " AS run \\gset\n\\if :{?run}\nSELECT copy_incremental_wait(:run);\n\\unset run\n\\endif\n",
	'copy_incremental_start_range' => look_sql('start_range', @rows, @into) =~ s/'2018-07-29'\)$/'[2018-07-29 00:00+00,2018-07-30 00:00+00)')/r .
	  " AS run \\gset\n\\if :{?run}\nSELECT copy_incremental_wait(:run);\n\\unset run\n\\endif\n",
	'copy_incremental_describe' => look_sql('describe', @rows, @into),
	'copy_incremental_explain' => look_sql('explain', @large, @into),
	'copy_incremental_explain copy' => look_sql('explain', @rows, @into, method => "'copy'"),
	'copy_incremental_explain window column' => look_sql('explain', 'TABLE rows', '2018-07-29', window_column => "'at'", @into),
	'copy_incremental_verify' => look_sql('verify', @rows),
	'copy_incremental_verify_rows' => look_sql('verify_rows', @rows),
	'copy_incremental_repair' => look_sql('repair', @rows) =~ s/'2018-07-29'\)$/'2018-07-29', '2018-07-29')/r,
	'copy_incremental cancelled' => copy_sql("SELECT id, at, note FROM rows $window AND pg_sleep(600) IS NOT NULL", '2018-07-29', @into));
my @ask_nothing = map { "copy_incremental_$_" } qw(drop_job grant missing retry_rejects wait cancel forget batch_rows);

# --- the table: name of the statement, its call, its kind, and which one of that kind

my @statements = (
	[ 'begin', 'copy_incremental', 'begin', 1 ],
	[ 'settings', 'copy_incremental', 'settings', 1 ],
	[ 'settings of another snapshot', 'copy_incremental settle wait', 'settings', 2 ],
	[ 'settings of a start', 'copy_incremental_start', 'settings', 1 ],
	[ 'prepare', 'copy_incremental', 'prepare', 1 ],
	[ 'describe', 'copy_incremental', 'describe', 1 ],
	[ 'describe in another snapshot', 'copy_incremental by name', 'describe', 2 ],
	[ 'describe once', 'copy_incremental settle off', 'describe', 1 ],
	[ 'table name', 'copy_incremental by name', 'table name', 1 ],
	[ 'tables of the query', 'copy_incremental', 'tables of the query', 1 ],
	[ 'settled', 'copy_incremental', 'settled', 1 ],
	[ 'settled, wait', 'copy_incremental settle wait', 'settled', 1 ],
	[ 'settled, error', 'copy_incremental settle error', 'settled', 1 ],
	[ 'estimate', 'copy_incremental', qr/^(plan as text|estimate as JSON)$/, 1 ],
	[ 'declare', 'copy_incremental', 'declare', 1 ],
	[ 'fetch', 'copy_incremental', 'fetch', 1 ],
	[ 'fetch of batches', 'copy_incremental_batches', 'fetch', 1 ],
	[ 'fetch with rejects', 'copy_incremental reject', 'fetch', 1 ],
	[ 'fetch of a worker', 'copy_incremental_start', 'fetch', 1 ],
	[ 'copy', 'copy_incremental copy', 'copy', 1 ],
	[ 'commit', 'copy_incremental', 'commit', 1 ],
	[ 'commit of copy', 'copy_incremental copy', 'commit', 1 ],
	[ 'commit of a snapshot', 'copy_incremental settle wait', 'commit', 1 ],
	[ 'checksum of a load', 'copy_incremental verify', 'checksum', 1 ],
	[ 'type names', 'copy_incremental_describe', 'type names', 1 ],
	[ 'plan as text', 'copy_incremental_explain', 'plan as text', 1 ],
	[ 'plan as JSON', 'copy_incremental_explain', 'plan as JSON', 1 ],
	[ 'settled, explain', 'copy_incremental_explain', 'settled', 1 ],
	[ 'size of a table', 'copy_incremental_explain', 'size of a table', 1 ],
	[ 'describe with the window', 'copy_incremental_explain window column', 'describe', 2 ],
	[ 'window column', 'copy_incremental_explain window column', 'window column', 1 ],
	[ 'standby', 'copy_incremental_run_ids', 'standby', 1 ],
	[ 'sequence of a column', 'copy_incremental_run_ids', 'sequence of a column', 1 ],
	[ 'highest id', 'copy_incremental_run_ids', 'highest id', 1 ],
	[ 'open transactions', 'copy_incremental_run_ids', 'open transactions', 1 ],
	[ 'checksum', 'copy_incremental_verify', 'checksum', 1 ],
	[ 'buckets', 'copy_incremental_verify', 'buckets', 1 ],
	[ 'rows by key', 'copy_incremental_verify_rows', 'rows by key', 1 ],
	[ 'buckets of a repair', 'copy_incremental_repair', 'buckets', 1 ],
	[ 'rows by key of a repair', 'copy_incremental_repair', 'rows by key', 1 ],
	[ 'fetch of a repair', 'copy_incremental_repair', 'fetch', 1 ],
	[ 'cancel', 'copy_incremental cancelled', 'cancel', 1 ]);

# What ends the call: an SQLSTATE and a message; or 'same', the result of the right answer; or 'another', that of an answer
# that may be an honest one. By answer, or by statement and answer.
my $wrong = [ qr/^08(P01|006)$/, qr/source server sent an unexpected response|connection to source server was lost/ ];
my %by_answer = (
	'a flood of notices' => 'same',
	'an error without SQLSTATE' => [ qr/^08006$/, qr/a failure/ ],
	'silence' => [ qr/^57014$/, qr/statement timeout/ ]);
my $no_value = [ qr/^(22P03|08P01)$/, qr/incorrect binary data format|insufficient data left/ ];
my $no_query = [ qr/^(42701|42804|08P01)$/, qr/column/ ];
my %rows = ('NULLs' => 'another', 'no row' => 'another', map { $_ => $no_value } 'a negative number', 'a number of 20 digits', 'empty texts', 'a cell of 100 MB');
my %no_transactions = map { $_ => 'same' } 'NULLs', 'empty texts';
my %any_text = map { $_ => 'another' } 'one column', 'a negative number', 'a number of 20 digits', 'empty texts';
my %described_again = ((map { $_ => 'same' } 'wrong formats', '1,600 columns', 'NULLs', 'empty texts', 'a negative number', 'a number of 20 digits', 'one column'),
	map { $_ => $no_query } 'no columns', 'no row');
my $no_target = [ qr/^42P09$/, qr/could not tell the target/ ];
my %by_both = (
	# A description without columns is that of a statement that returns none.
	# If the query has other columns in another snapshot, it is described again.
	'describe' => { %described_again },
	'describe in another snapshot' => { %described_again },
	'describe once' => { 'wrong formats' => 'same', map { $_ => $no_query } 'no columns', '1,600 columns', 'NULLs', 'no row', 'empty texts',
		'a negative number', 'a number of 20 digits' },
	'describe with the window' => { 'wrong formats' => 'same', map { $_ => $no_query } 'no columns', 'no row' },
	'tables of the query' => { map { $_ => 'same' } 'no row', 'one column', 'a negative number', 'a number of 20 digits', 'empty texts' },
	'table name' => { map { $_ => $no_target } 'a negative number', 'a number of 20 digits' },
	# The first column is why a window is not settled, the second numbers of transactions.
	'settled' => { %no_transactions, 'a number of 20 digits' => 'same' },
	'settled, wait' => { %no_transactions, 'a number of 20 digits' => 'same' },
	'settled, error' => { %no_transactions, 'a number of 20 digits' => 'same' },
	'settled, explain' => { %no_transactions, 'a number of 20 digits' => 'another' },
	# Without a sequence, or a highest id, it is not known whether the window is settled, or it is not: a WARNING.
	'sequence of a column' => { 'no row' => 'same', 'a negative number' => [ qr/^0A000$/, qr/values of column "id" descend/ ] },
	'highest id' => { map { $_ => 'same' } 'NULLs', 'a negative number' },
	'open transactions' => { %no_transactions, 'a number of 20 digits' => 'same' },
	# An estimate that is not understood is none.
	'estimate' => { map { $_ => 'same' } keys %any_text },
	'plan as text' => \%any_text,
	'plan as JSON' => { map { $_ => 'another' } 'a negative number', 'a number of 20 digits' },
	'type names' => \%any_text,
	'size of a table' => { 'no row' => 'another' },
	'window column' => { 'no row' => 'another' },
	'fetch' => \%rows,
	'fetch of a worker' => \%rows,
	# It was counted.
	'fetch of a repair' => { %rows, 'no row' => $wrong, 'NULLs' => [ qr/^23502$/, qr/null value in column "id"/ ] },
	'rows by key of a repair' => { 'a negative number' => [ qr/^21000$/, qr/source has more than one row of a key/ ] },
	# Rows come behind the last one.
	'fetch of batches' => { %rows, 'no row' => $wrong },
	# What is no value is put aside, unless its message ends too early.
	'fetch with rejects' => { %rows, map { $_ => 'another' } 'empty texts', 'a negative number', 'a number of 20 digits', 'a cell of 100 MB' },
	# The source tells the key of a row of its own.
	'rows by key' => { 'a negative number' => 'another' });
# These hold a row or its key as a whole, which may have 1 GB.
my $holds_a_row = qr/^(fetch|rows by key)/;
sub outcome_for
{
	my ($statement, $answer) = @_;
	return $statement eq 'cancel' ? [ qr/^57014$/, qr/user request/ ] : $by_both{$statement}{$answer} // $by_answer{$answer} // $wrong;
}

my %answers = hostile_answers;
my @cases = map { my $statement = $_; map { [ $statement, $_ ] } sort keys %answers } @statements;
my %attacks = map { my ($statement, $answer) = @$_; ("$statement->[0]: $answer" => [ @$statement[ 2, 3 ], $answers{$answer} ]) } @cases;
my $proxy = start_hostile_proxy($source->port, \%attacks);
my ($at_source) = open_session($source);
my $postmaster = slurp_file($destination->data_dir . '/postmaster.pid') =~ s/\n.*//sr;

sub call_for { my ($call, $name) = @_; my $conninfo = $proxy->conninfo($name); return "DELETE FROM pgci_jobs; DELETE FROM pgci_coverage;\n" . $calls{$call} =~ s/'src'/\$c\$$conninfo\$c\$/r; }

# --- nothing escapes the table: every function, and every statement that one sends

my ($session, $pid) = open_session($destination);
sub renew_session
{
	eval { $session->{run}->kill_kill };
	wait_until($destination, 'SELECT true');
	($session, $pid) = open_session($destination);
	return;
}

# Runs a call; returns SQLSTATE, what psql wrote to stderr and stdout, the state then; undef when the server was lost.
sub run_call
{
	my ($call, $name, $timeout) = @_;
	my @result = eval {
		if ($call eq 'copy_incremental cancelled')
		{
			start_call($session, call_for($call, $name));
			poll_session($at_source, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
			$destination->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
			my ($state, $said) = end_of_call($session);
			return ($state, $said, '', $session->query_safe('TABLE state'));
		}
		my $out = $session->query("SET statement_timeout = '$timeout';\n" . call_for($call, $name) . ";\nSET statement_timeout = 0");
		# What explain says of today is another at midnight.
		$out =~ s/^(due to|missing windows)\|.*\n//mg;
		my $said = $session->{stderr};
		$session->{stderr} = '';
		poll_session($session, "SELECT NOT EXISTS (SELECT FROM copy_incremental_runs WHERE status = 'running')");
		my ($state) = $said =~ /ERROR:  (\w{5}): /;
		# explain has errors of a run as rows.
		$state //= $1 if $out =~ /^error\|(\w{5}): /m;
		return ($state // '00000', $said, $out, $session->query_safe('TABLE state'));
	};
	renew_session() if $@;
	return @result;
}

my @functions = split /\n/, $destination->safe_psql('postgres', "SELECT DISTINCT proname FROM pg_proc WHERE proname ~ '^copy_incremental'");
is(join(' ', sort(@functions)), join(' ', sort(uniq(@ask_nothing, map { s/ .*//r } keys %calls))), 'the functions are those that the calls know');

my $untouched = $session->query_safe('TABLE state');
my (%honest, %kinds);
for my $call (sort keys %calls)
{
	my ($state, $said, $out, $after) = run_call($call, 'honest', '60s');
	is($state, $call =~ /cancelled/ ? '57014' : '00000', "$call: runs") or diag($said);
	$honest{$call} = [ $out, $after ];
	my @kinds = uniq map { $_->[1] } $proxy->seen;
	note("$call: " . join ', ', @kinds);
	push @{ $kinds{$_} }, $call for @kinds;
	$session->query_safe('SELECT set_up()');
}
for my $kind (sort keys %kinds)
{
	ok((grep { $kind =~ /^$_->[2]$/ } @statements), "the table knows statement: $kind") or diag("of: @{ $kinds{$kind} }");
}

# --- the table

# The private memory of the backend at its highest since mark_memory, in kB.
sub proc { my ($file, $field) = @_; return slurp_file("/proc/$pid/$file") =~ /^$field:\s+(\d+)/m ? $1 : 0; }
my @marked;
sub mark_memory
{
	open(my $file, '>', "/proc/$pid/clear_refs") or die $!;
	syswrite $file, '5' or die $!;
	@marked = (proc('status', 'RssAnon'), proc('status', 'VmHWM'));
	return;
}
sub peak { return $ENV{ASAN_OPTIONS} || $ENV{VALGRIND} ? 0 : $marked[0] + proc('status', 'VmHWM') - $marked[1]; }

my ($files_before) = usage($pid);
my $memory_before = proc('status', 'RssAnon');
my ($good, $most, %failed) = (0, 0);
for my $case (@cases)
{
	my ($statement, $answer) = @$case;
	my ($name, $call) = @$statement;
	my $wanted = outcome_for($name, $answer);
	my $has_no_guard = $ENV{ASAN_OPTIONS} && $name =~ /^describe/ && $answer eq 'a cell of 100 MB';
	SKIP: { skip 'a sanitizer has its own malloc', 1 if $has_no_guard; }
	next if $has_no_guard;
	mark_memory();
	my ($backend) = $pid;
	my ($state, $said, $out, $after) = run_call($call, "$name: $answer", $answer eq 'silence' ? '300ms' : '60s');
	my @wrong;
	if (!defined $state || $pid ne $backend) { push @wrong, 'the server crashed'; ($state, $said, $out, $after) = ('', '', '', $untouched); }
	my $peak = peak();
	if (ref $wanted)
	{
		my $message = "$said$out";
		my $errors = () = $message =~ /^(.*ERROR:  |error\|)/mg;
		push @wrong, "state $state" if $state !~ $wanted->[0];
		push @wrong, "$errors errors" if $errors != 1;
		push @wrong, 'message' if $message !~ $wanted->[1];
		# wait() has the message of a worker's error alone.
		push @wrong, 'no hint' if $said =~ $wrong->[1] && $said !~ /HINT:  Nothing was written/ && $name !~ /worker/;
		push @wrong, 'something was written' if $after ne $untouched;
	}
	else
	{
		push @wrong, "state $state" if $state ne '00000';
		push @wrong, 'another result' if $wanted eq 'same' && ($out ne $honest{$call}[0] || $after ne $honest{$call}[1]);
	}
	my $may_be_large = $name =~ $holds_a_row && $answer =~ /100 MB/;
	push @wrong, "memory $peak kB" if $peak > ($may_be_large ? 600 : 60) * 1024;
	$most = max($most, $peak) if !$may_be_large;
	push @wrong, 'a session is left' if !poll_session($at_source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'etl_trusted'");
	push @wrong, 'not attacked' if $answer ne 'silence' && !grep { @$_ == 3 } $proxy->seen;
	my $ok = ok(!@wrong, "$name: $answer") or diag(join(', ', @wrong) . ': ' . substr("$said$out", 0, 1000));
	note("$name: $answer: $state, $peak kB" . ($state eq '00000' ? '' : ', ' . substr(("$said$out" =~ /ERROR:  (.*\n(?:DETAIL.*)?)/)[0] // '', 0, 200)));
	$good++ if $ok;
	push @{ $failed{ $wrong[0] =~ s/\d+/N/r } }, "$name: $answer" if @wrong;
	$session->query_safe('SELECT set_up()') if $after ne $untouched;
}
my ($files) = usage($pid);
is($files, $files_before, 'no descriptor is left');
SKIP:
{
	skip 'a sanitizer has its own malloc', 1 if $ENV{ASAN_OPTIONS};
	cmp_ok(proc('status', 'RssAnon') - $memory_before, '<', 40 * 1024, 'no memory is left');
}
is($session->query_safe("SELECT count(*) FROM pg_backend_memory_contexts WHERE name ~ 'copy_incremental'"), 0, 'no memory context of ours');
is(slurp_file($destination->data_dir . '/postmaster.pid') =~ s/\n.*//sr, $postmaster, 'the same server');
unlike(slurp_file($destination->logfile), qr/terminated by signal|reinitializing/, 'it did not restart');
diag(sprintf 'hostile answers: %d statements x %d answers = %d cases, %d right; memory %d kB at most, %d kB at the end, %d kB before',
	scalar @statements, scalar keys %answers, scalar @cases, $good, $most, proc('status', 'RssAnon'), $memory_before);
diag(scalar(@{ $failed{$_} }) . " times $_: " . join '; ', @{ $failed{$_} }) for sort keys %failed;
$_->quit for $session, $at_source;
done_testing();
