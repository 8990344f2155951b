# A cancel ends the call wherever it arrives: at known moments of copy_incremental_explain() and of rejects, and at random
# moments of each function, 100 times; PG_TEST_EXTRA=long makes it 500. After each one the same session uses savepoints, a
# handler of PL/pgSQL, writes in autocommit and copies again, and holds no lock, descriptor or setting of the call.
# SEED=number repeats the moments.
use strict;
use warnings;

use TwoServers;
use Test::More;
use Time::HiRes qw(sleep time);

my $seed = $ENV{SEED} // time ^ $$;
srand($seed);
diag("SEED=$seed");
my $cancels = ($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/ ? 500 : 100;

my ($source, $destination) = start_servers(destination => "max_worker_processes = 12\n");
$source->safe_psql('postgres', <<~'SQL');
	GRANT pg_read_all_stats TO etl_reader;
	CREATE TABLE rows (id int PRIMARY KEY, day date, note text);
	INSERT INTO rows SELECT g, date '2018-07-29' + g % 3, repeat('note ' || g, 5) FROM generate_series(1, 1500) AS g;
	CREATE FUNCTION sleeps(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN true; END';
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE rows (id int PRIMARY KEY, day date, note text);
	CREATE TABLE days (LIKE rows INCLUDING ALL);
	CREATE TABLE started (LIKE rows INCLUDING ALL);
	CREATE TABLE few (id int);
	CREATE TABLE lookup (id int);
	CREATE TABLE picky (id int PRIMARY KEY, day date, note text CHECK (length(note) > 35));
	CREATE TABLE slow (LIKE picky INCLUDING ALL);
	CREATE TABLE written (number int, what text);
	CREATE FUNCTION sleeps(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN true; END';
	CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
	CREATE TRIGGER sleep BEFORE INSERT ON slow FOR EACH ROW WHEN (new.id = 777) EXECUTE FUNCTION sleep();
	-- What a call must leave as it was.
	CREATE FUNCTION of_session() RETURNS text LANGUAGE sql AS $$
	  SELECT concat_ws(' ', (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND
	    (locktype NOT IN ('virtualxid', 'relation') OR relation >= 16384)), current_user, (SELECT string_agg(current_setting(name), ' ')
	    FROM unnest(ARRAY['TimeZone', 'DateStyle', 'IntervalStyle', 'client_connection_check_interval', 'client_encoding', 'xmloption',
	      'lc_monetary', 'array_nulls', 'search_path', 'row_security', 'lock_timeout', 'extra_float_digits',
	      'standard_conforming_strings']) AS name))
	$$;
	SQL

my ($session, $pid) = open_session($destination);
my ($observer) = open_session($destination);
my ($at_source) = open_session($source);
my $query = 'SELECT * FROM rows WHERE day = $1';
my $few = copy_sql('SELECT generate_series(1, 3) AS id', undef, target => "'few'");

# A call in a block of PL/pgSQL whose handler takes any error, and what a statement after the block writes is kept. A call
# that no cancel has ended is undone by an error of its own.
sub in_block
{
	my ($number, $call, $times) = @_;
	$times //= 1;
	# What a call needs is before the block.
	(my $before, $call) = $call =~ /^(.*; )?([^;]*)$/s;
	$before //= '';
	return $before . <<~SQL;
		DO \$block\$
		DECLARE
		  state text;
		  line record;
		BEGIN
		  BEGIN
		    FOR i IN 1 .. $times LOOP
		      FOR line IN $call LOOP
		        IF line::text ~ '57014' THEN RAISE 'a cancel has become a row: %', line; END IF;
		      END LOOP;
		    END LOOP;
		    RAISE SQLSTATE 'ENDED';
		  EXCEPTION
		    WHEN query_canceled THEN state := sqlstate;
		    WHEN OTHERS THEN state := sqlstate;
		  END;
		  INSERT INTO written VALUES ($number, state);
		END \$block\$
		SQL
}

# Uses the session, and returns what is wrong with it, if anything. `states` are those in which the call may have ended.
my ($settled, $sockets);
my $look = 'SELECT of_session(), (SELECT count(*) FROM few), (SELECT count(*) FROM rows), (SELECT count(*) FROM picky)';
sub fault
{
	my ($number, $states) = @_;
	my (undef, $said) = eval { outcome_of($session, <<~SQL) };
		BEGIN;
		SAVEPOINT a;
		INSERT INTO written VALUES ($number, 'a');
		SAVEPOINT b;
		INSERT INTO written VALUES ($number, 'b');
		ROLLBACK TO b;
		RELEASE a;
		COMMIT;
		DO 'BEGIN BEGIN PERFORM 1 / 0; EXCEPTION WHEN OTHERS THEN NULL; END; INSERT INTO written VALUES ($number, ''h''); END';
		INSERT INTO written VALUES ($number, 'plain');
		BEGIN;
		$few;
		ROLLBACK;
		$look;
		SQL
	unless (defined $said)
	{
		($session, $pid) = open_session($destination);
		return 'the session has ended';
	}
	my $written = $observer->query_safe("SELECT string_agg(what, ' ' ORDER BY what) FROM written WHERE number = $number");
	my @faults;
	push @faults, "said: $said" if $said !~ /^(?:psql\S* ERROR:  57014: (?:(?!ERROR:).)*)?3\n\Q$settled\E$/s;
	push @faults, "written: $written" if $written !~ /^(?:(?:$states) )?a h plain$/;
	my ($open) = usage($pid);
	push @faults, "descriptors: $open, before $sockets" if $open > $sockets;
	return join ', ', @faults;
}

# How the session is when nothing has happened.
$session->query_safe($few);
$session->query_safe('TRUNCATE few');
$settled = $session->query_safe($look);
($sockets) = usage($pid);

# Known moments. The first is in the analysis of a transform, the next in the source's plan; the last two in the subtransactions of rejects.
my $number = 0;
my ($locker) = open_session($destination);
$locker->query_safe('BEGIN; LOCK TABLE lookup');
my $sleeping = 'SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = %s AND query ~ %s';
for my $case (
	[ 'explain, columns', explain_sql($query, transform => q('SELECT batch.* FROM batch JOIN lookup USING (id)')), $observer, "'relation'" ],
	[ 'explain, plan of the source', explain_sql("$query AND sleeps(1)"), $at_source, "'PgSleep'" ],
	[ 'rejects, a batch', copy_sql('SELECT * FROM rows', undef, target => "'slow'", on_error => "'reject'", batch => 700), $observer, "'PgSleep'" ],
	[ 'rejects, after the first', copy_sql('SELECT * FROM rows WHERE id <= 800', undef, target => "'slow'", on_error => "'reject'"), $observer, "'PgSleep'" ])
{
	my ($name, $call, $watcher, $event) = @$case;
	start_call($session, in_block(++$number, $call));
	ok(poll_session($watcher, sprintf $sleeping, $event, "'sleeps|batch|slow|explain'"), "$name: reached");
	kill 'INT', $pid;
	is(fault($number, '57014'), '', "$name: the cancel ends the call, and the session is as before");
}
$locker->quit;

sub explain_sql { my ($text, @more) = @_; return look_sql('explain', $text, '2018-07-29', target => "'rows'", @more); }

# Random moments. A name is a function and its options; a call that commits cannot be in a block.
my @by_day = ($query, '2018-07-29');
my @rows = (target => "'rows'");
my @replace = (@rows, mode => "'replace'", replace_where => q('day = $1'));
sub renamed { my ($name, $sql) = @_; return $sql =~ s/copy_incremental\(/copy_incremental_$name(/r; }
my $batches = by_batches(copy_sql(@by_day, target => "'days'", mode => "'skip'", batch => 100));
sub backfill
{
	my ($workers) = @_;
	return "CALL copy_incremental_backfill('days', '2018-07-29', '2018-07-31', $workers)";
}
my @of_job = (first_day => "'2018-07-29'", mode => "'skip'");
$destination->safe_psql('postgres', join ';', define_job('days', $query, @of_job, target => "'days'", lag => "now() - timestamptz '2018-08-01 12:00+00'"),
	define_job('started', $query, @of_job, target => "'started'"));
my ($done, $running) = map {
	$destination->safe_psql('postgres', look_sql('start', "SELECT * FROM rows WHERE day = \$1 AND id < 0 AND $_", '2018-07-29', target => "'started'"))
} 'true', '(pg_sleep(600) IS NOT NULL OR sleeps(1))';
wait_until($destination, "SELECT status <> 'running' FROM copy_incremental_runs WHERE run_id = $done");
my %calls = (
	'append' => copy_sql(@by_day, @rows, batch => 100),
	'append, verify' => copy_sql(@by_day, @rows, verify => 'true'),
	'append, settle' => copy_sql(@by_day, @rows, settle => "'wait'"),
	'append, transform' => copy_sql(@by_day, @rows, transform => q('SELECT id, day, upper(note) AS note FROM batch')),
	'append, reject' => copy_sql(@by_day, target => "'picky'", on_error => "'reject'", batch => 50),
	'append, copy' => copy_sql(@by_day, @rows, method => "'copy'"),
	'skip' => copy_sql(@by_day, @rows, mode => "'skip'"),
	'upsert' => copy_sql(@by_day, @rows, mode => "'upsert'", batch => 100),
	'replace' => copy_sql(@by_day, @replace),
	'replace, copy, verify' => copy_sql(@by_day, @replace, method => "'copy'", verify => 'true'),
	'range' => renamed('range', copy_sql($query, undef, @rows)) =~ s/, NULL, 2000/, '[2018-07-29, 2018-07-30)', 2000/r,
	'batches' => $batches,
	'backfill' => backfill(1),
	'backfill, workers' => backfill(2),
	'catch_up' => "CALL copy_incremental_catch_up('days')",
	'missing' => "SELECT copy_incremental_missing('started', '2018-07-29', '2018-08-29')",
	'start' => "SELECT copy_incremental_start('started', '2018-07-29')",
	'wait' => "SELECT copy_incremental_wait($running, '30 ms')",
	'cancel' => "SELECT copy_incremental_cancel($done)",
	# It would wait for the run of 2018-07-29.
	'forget' => "SELECT copy_incremental_forget('started', '2018-08-09', '2018-08-29')",
	'explain' => explain_sql($query),
	'explain, replace by copy' => explain_sql($query, mode => "'replace'", replace_where => q('day = $1'), method => "'copy'"),
	'describe' => look_sql('describe', @by_day, @rows),
	'verify' => look_sql('verify', @by_day, @rows),
	'verify_rows' => look_sql('verify_rows', @by_day, @rows));

my ($all, $hits) = (0, 0);
my $begin = time;
my $left = $cancels;
my @names = sort keys %calls;
while (my $name = shift @names)
{
	my $rounds = int($left / (@names + 1));
	$left -= $rounds;
	my $times = $name =~ /^(missing|cancel|forget)/ ? 20 : 1;
	my $commits = $calls{$name} =~ /^CALL/;
	my $undo = $commits ? "TRUNCATE days; DELETE FROM pgci_runs WHERE target = 'days'::regclass; DELETE FROM pgci_coverage; " : '';
	my ($duration, $cancelled, @faults) = (0, 0);
	# The first round is not cancelled, and says how long the call takes.
	for my $round (0 .. $rounds)
	{
		my $call = $commits ? $calls{$name} : in_block(++$number, $calls{$name}, $times);
		$number++ if $commits;
		my $start = time;
		start_call($session, $call);
		if ($round == 0)
		{
			$session->query('SELECT 1');
			$duration = time - $start;
		}
		else
		{
			sleep(rand($duration));
			kill 'INT', $pid;
			$all++;
		}
		my $fault = fault($number, $round == 0 ? 'ENDED' : '57014|ENDED');
		push @faults, "round $round: $fault" if $fault ne '';
		$cancelled++ if $fault eq '' && $observer->query_safe("SELECT count(*) FROM written WHERE number = $number AND what = '57014'");
		$observer->query_safe($undo) if $undo;
	}
	$hits += $cancelled;
	is(join("\n", @faults), '', "$name: the session is as before, after each of $rounds cancels");
	ok(poll_session($at_source, "SELECT count(*) <= 1 FROM pg_stat_activity WHERE usename = 'etl_reader'"), "$name: no session is left at the source");
	note(sprintf '%s: %d ms, %d of %d calls ended by the cancel', $name, 1000 * $duration, $cancelled, $rounds) unless $commits;
}
is($all, $cancels, 'so many cancels');
diag(sprintf '%d cancels in %.1f s, %d of them ended a call in its block', $all, time - $begin, $hits);

$session->query_safe("SELECT copy_incremental_cancel($running)");
ok(poll_session($observer, q(SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'copy_incremental')), 'no worker is left');
no_session_left($source, 'no session is left at the source');
$_->quit for $session, $observer, $at_source;
done_testing();
