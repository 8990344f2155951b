# Faults at random moments of runs, for 050: the moments, and the checks after a fault.
#
# A moment is a random row. The run waits there in a trigger of the target (before the row, after it, or at commit) or
# in the query at the source, and the fault occurs during the wait. For some runs, which do not wait, it occurs after a
# random time. SEED=number repeats the moments, ROUNDS=number makes more, ROWS=number makes the runs longer.
package RandomMoments;

use strict;
use warnings;

use TwoServers;
use Test::More;
use Time::HiRes qw(usleep);

use Exporter 'import';
our @EXPORT = qw($rounds $all @kinds @modes $source $destination $at_source $at_destination $of_runs $of_reader %moments
  start_random_moments call prepare let_go draw_moments start_run start_runs backends signal_backends crash difference exact_after);

my $seed = $ENV{SEED} // time ^ $$;
our $rounds = $ENV{ROUNDS} // 4;
srand($seed);
diag("SEED=$seed");

my $day = '2018-07-29';
our $all = $ENV{ROWS} // 10_000;    # rows of the day; their id is their place in the query's order
my $batch = 700;
our @kinds = qw(before after commit source time);

# The columns of the day before each run: rows of other days and of an earlier run.
my %before = (
	append => "day <> '$day'",
	skip => "day <> '$day' OR id % 5 = 0",
	upsert => "day <> '$day' OR id % 5 <= 2",
	replace => "day <> '$day' OR id % 3 = 0");
# Uses copy_incremental_batches(), or the method that the name contains; or has no BEFORE trigger, so that rows are inserted
# many at once.
our @modes = ((sort keys %before), (map { "batches_$_" } qw(skip upsert replace)), qw(copy_append copy_replace many_append));
sub plain { my ($mode) = @_; return $mode =~ s/^(batches|copy|many)_//r; }

our ($source, $destination);
# The number and checksum of the day's rows, and the whole table, at the source and as each mode must leave it.
my $checksum = 'SELECT count(*), sum(hashtextextended(r::text, 0)) FROM (%s) AS r';
my $of_day = "SELECT * FROM %s WHERE day = '$day'";
my ($source_day, %whole);

# Starts the servers and creates a target, with its rows before the run, for each mode.
sub start_random_moments
{
	my $config = "restart_after_crash = on\nshared_buffers = 32MB\nmax_connections = 30\nautovacuum = off\n";
	($source, $destination) = start_servers(source => $config, destination => $config, wal_segment_size => 1);
	$source->safe_psql('postgres', <<~SQL);
		CREATE TABLE rows (id int PRIMARY KEY, day date NOT NULL, v int, pad text);
		INSERT INTO rows SELECT g, CASE WHEN g > $all THEN date '$day' - 1 ELSE '$day' END, g * 7, repeat(md5(g::text), 5)
		  FROM generate_series(1, $all + 1000) AS g;
		VACUUM ANALYZE rows;
		CREATE FUNCTION wait() RETURNS boolean LANGUAGE plpgsql AS
		  'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN true; END';
		CREATE FUNCTION passes(run text, id int) RETURNS boolean LANGUAGE sql AS
		  \$\$SELECT CASE WHEN id = nullif(current_setting('test.' || run, true), '')::int THEN wait() ELSE true END\$\$;
		SQL
	$destination->safe_psql('postgres', <<~SQL);
		CREATE FOREIGN TABLE source_rows (id int, day date, v int, pad text) SERVER src OPTIONS (table_name 'rows');
		CREATE TABLE truth AS TABLE source_rows;
		ALTER TABLE truth ADD PRIMARY KEY (id);
		CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS
		  'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END';
		CREATE FUNCTION is_moment(kind text, id int) RETURNS boolean LANGUAGE sql AS
		  \$\$SELECT id = nullif(current_setting('test.' || kind, true), '')::int\$\$;
		SQL
	for my $mode (@modes)
	{
		my $plain = plain($mode);
		my $is_before = $before{$plain};
		my $stale = $plain eq 'skip' ? 'v' : "CASE WHEN day = '$day' THEN -v ELSE v END";
		# Rows that the source has deleted; only replace deletes them.
		my $gone = 'SELECT id + 10000000, day, v, pad FROM truth WHERE ' . ($plain eq 'replace' ? 'id % 50 = 0' : 'false');
		$destination->safe_psql('postgres', <<~SQL);
			CREATE TABLE $mode (LIKE truth INCLUDING ALL);
			CREATE TABLE before_$mode AS SELECT id, day, $stale AS v, pad FROM truth WHERE $is_before UNION ALL $gone;
			CREATE TRIGGER after AFTER INSERT OR UPDATE ON $mode FOR EACH ROW WHEN (is_moment('after', new.id))
			  EXECUTE FUNCTION wait_here();
			CREATE CONSTRAINT TRIGGER commit AFTER INSERT OR UPDATE ON $mode DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
			  WHEN (is_moment('commit', new.id)) EXECUTE FUNCTION wait_here();
			SQL
		next if $mode =~ /^many/;
		$destination->safe_psql('postgres', <<~SQL);
			CREATE TRIGGER before BEFORE INSERT ON $mode FOR EACH ROW WHEN (is_moment('before', new.id))
			  EXECUTE FUNCTION wait_here();
			SQL
	}
	$source_day = $source->safe_psql('postgres', sprintf $checksum, sprintf $of_day, 'rows');
	%whole = map { $_ => $destination->safe_psql('postgres', sprintf $checksum, expected($_, $all)) } @modes;
	return;
}

# The call of a mode. The text is always the same, so that a second call repeats the first.
sub call
{
	my ($mode) = @_;
	my $plain = plain($mode);
	my %argument = (target => "'$mode'", mode => "'$plain'", batch => $batch);
	$argument{replace_where} = q('day = $1') if $plain eq 'replace';
	$argument{method} = "'copy'" if $mode =~ /^copy_/;
	my $sql = copy_sql("SELECT * FROM rows WHERE day = \$1 AND passes('$mode', id) ORDER BY id", $day, %argument);
	return $mode =~ /^batches/ ? by_batches($sql) : $sql;
}

# The rows of the target after this number of the source's rows was copied; undef: none copied and none deleted.
sub expected
{
	my ($mode, $copied) = @_;
	return "TABLE before_$mode" unless defined $copied;
	my $copy = "SELECT * FROM truth WHERE day = '$day' AND id <= $copied";
	return "SELECT * FROM before_$mode WHERE day <> '$day' UNION ALL $copy" if $mode =~ /replace/;
	return "$copy UNION ALL SELECT * FROM before_$mode WHERE day <> '$day' OR id > $copied";
}

our ($at_source, $at_destination);    # they hold what the runs wait for

# Resets the targets and the ledger. A session takes the lock for which runs wait.
sub prepare
{
	$destination->safe_psql('postgres', join ';', 'TRUNCATE ' . join(',', @modes),
		'DELETE FROM pgci_runs', map { "INSERT INTO $_ TABLE before_$_" } @modes);
	($at_source) = open_session($source);
	($at_destination) = open_session($destination);
	$_->query_safe('SELECT pg_advisory_lock(42)') for $at_source, $at_destination;
	return;
}

# Lets the runs continue.
sub let_go
{
	for my $holder ($at_source, $at_destination)
	{
		# After a crash of its server, the session that holds the lock no longer exists.
		eval { $holder->quit };
	}
	return;
}

# A random moment for each mode: { kind, row }. Rows with id % 5 = 3 are written in every mode.
sub draw_moments
{
	my ($round, @of) = @_;
	my $i = $round * 3;
	my %moment = map { $_ => { kind => $of[ $i++ % @of ], row => 5 * int(rand($all / 5)) + 3 } } @modes;
	$moment{$_}{kind} =~ s/before/after/ for grep { /^many/ } @modes;
	return %moment;
}

sub start_run
{
	my ($mode, $moment) = @_;
	my ($kind, $row) = @{$moment}{qw(kind row)};
	# At the source, a run waits for the slowest other run.
	return start_client($destination, "run $mode", "SET test.$kind = '$row'; SET lock_timeout = '1h'", call($mode));
}

# Starts a run for every mode and returns when each has reached its moment.
sub start_runs
{
	my ($moments) = @_;
	my %waits = map { $_ => 1 } grep { $moments->{$_}{kind} ne 'time' } @modes;
	$source->safe_psql('postgres', join ';', map {
			my $row = $moments->{$_}{kind} eq 'source' ? $moments->{$_}{row} : '';
			qq(ALTER ROLE etl_reader SET "test.$_" = '$row')
		} @modes);
	my %client = map { $_ => start_run($_, $moments->{$_}) } grep { $waits{$_} } @modes;
	my $waiting = q(SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory');
	my %there = map { $_ => 1 } grep { $moments->{$_}{kind} eq 'source' } @modes;
	poll_session($at_source, $waiting, scalar keys %there) or die 'not all runs came to their moment at the source';
	poll_session($at_destination, $waiting, keys(%waits) - keys(%there)) or die 'not all runs came to their moment';
	for my $mode (grep { !$waits{$_} } @modes)
	{
		$client{$mode} = start_run($mode, $moments->{$mode});
		usleep(rand(120_000));
	}
	return \%client;
}

# The processes of the runs, on this server or at the source.
sub backends
{
	my ($session, $which) = @_;
	return split /\n/, $session->query_safe("SELECT pid FROM pg_stat_activity WHERE $which");
}
our $of_runs = "application_name LIKE 'run %'";
our $of_reader = "usename = 'etl_reader'";

# Terminates or cancels them. A run that has already ended causes a warning.
sub signal_backends
{
	my ($node, $action, $which) = @_;
	return $node->safe_psql('postgres', "SELECT count(pg_${action}_backend(pid)) FROM pg_stat_activity WHERE $which");
}

# Kills processes of a server and returns when the server has begun to restart.
sub crash
{
	my ($node, @pids) = @_;
	my $offset = -s $node->logfile;
	kill 'KILL', @pids;
	$node->wait_for_log(qr/all server processes terminated; reinitializing/, $offset);
	return;
}

# The number of rows that are in only one of the target and the expected rows.
sub difference
{
	my ($mode, $copied) = @_;
	my $expected = expected($mode, $copied);
	return $destination->safe_psql('postgres', <<~SQL);
		SELECT count(*) FROM ((TABLE $mode EXCEPT ALL ($expected)) UNION ALL (($expected) EXCEPT ALL TABLE $mode)) AS d
		SQL
}

sub rows_of_day
{
	my ($mode) = @_;
	return $destination->safe_psql('postgres', "SELECT count(*) FROM $mode WHERE day = '$day'");
}

our %moments;    # fault and mode => how many

# Checks the state after a fault, and after the same call is repeated.
sub exact_after
{
	my ($fault, $moments, $client) = @_;
	my %answer = map { $_ => [ end_of_client($client->{$_}) ] } @modes;
	wait_until($_, 'SELECT 1', 1) or die 'a server did not come up again' for $source, $destination;
	no_session_left($source, "$fault: no session is left at the source");
	is($destination->safe_psql('postgres', 'SELECT count(*) FROM pg_locks WHERE objsubid = 71'), 0,
		"$fault: no run holds its place");
	$source->safe_psql('postgres', 'ALTER ROLE etl_reader RESET ALL');
	for my $mode (@modes)
	{
		my ($sqlstate, $out, $err) = @{ $answer{$mode} };
		my $name = "$fault, $mode, $moments->{$mode}{kind} $moments->{$mode}{row}";
		my $ledger = $destination->safe_psql('postgres',
			"SELECT status, rows_read, batches FROM copy_incremental_runs WHERE target = '$mode'::regclass");
		my ($status, $read, $batches) = split /\|/, $ledger;
		my $copied = $status ? $status eq 'succeeded' ? $all : $read : undef;
		my $true = !$status || ($status eq 'succeeded' && $read == $all)
		  || ($mode =~ /^batches/ && $status eq 'partial' && $read == $batches * $batch);
		$true &&= ($status // '') eq 'succeeded' if $sqlstate eq '00000';
		$true &&= ($status // '') ne 'succeeded' if $sqlstate ne '00000' && $sqlstate ne 'lost';
		ok($true, "$name: the ledger is true ($sqlstate, " . ($ledger || 'no run') . ')') or diag($err);
		is(difference($mode, $copied), 0, "$name: the target holds just that") or diag($err);
		$moments{$fault}{$mode}++;
		$moments{$fault}{states}{$sqlstate}++;

		my $loaded = ($status // '') eq 'succeeded';
		my $deleted = $mode =~ /replace/ ? rows_of_day($mode) : 0;
		my ($code, $printed, $said) = end_of_client(start_client($destination, 'again', call($mode)));
		is($code, plain($mode) eq 'append' && $loaded ? 'PI001' : '00000', "$name: again") or diag($said);
		my $checksums = join ';', map { sprintf $checksum, $_ } (sprintf $of_day, $mode), "TABLE $mode";
		is($destination->safe_psql('postgres', $checksums), "$source_day\n$whole{$mode}", "$name: again: exact");
		next if $code ne '00000';
		my $written = $mode =~ /skip/ ? $all * 4 / 5 : $all;
		is($destination->safe_psql('postgres', <<~SQL), "0|$all|$deleted|$written", "$name: again: the ledger");
			SELECT count(*) FILTER (WHERE status NOT IN ('succeeded', 'partial')), last.rows_read, last.rows_deleted,
			  CASE WHEN mode = 'replace' THEN last.rows_written ELSE sum(r.rows_written) END
			FROM copy_incremental_runs AS r CROSS JOIN (SELECT rows_read, rows_deleted, rows_written
			  FROM copy_incremental_runs WHERE target = '$mode'::regclass ORDER BY run_id DESC LIMIT 1) AS last
			WHERE target = '$mode'::regclass GROUP BY mode, 2, 3, last.rows_written
			SQL
	}
	return;
}

1;
