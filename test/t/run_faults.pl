# The faults that no other file has: this server stops, a descriptor or a lock is missing, somebody else is in the way,
# the source is a standby or becomes one, rights go away. Nothing is written, and the next run is exact.
# F numbers count the kinds of faults, see test/reliability.md.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use TwoServers;
use Test::More;
use Time::HiRes qw(time usleep);

my $hostile = start_hostile_source(mute => { startup => sub { return silence() } });
my $config = "max_prepared_transactions = 5\n";
my ($source, $destination) = start_servers(destination => $config . "max_files_per_process = 100\n",
	source => "wal_level = replica\nmax_wal_senders = 3\n");
$source->safe_psql('postgres', 'CREATE TABLE rows AS SELECT generate_series(1, 20000) AS id; CREATE TABLE other AS TABLE rows');
$destination->safe_psql('postgres', <<~'SQL');
	CREATE EXTENSION dblink;
	CREATE TABLE rows (id int);
	CREATE TABLE slow (id int);
	CREATE TABLE other (id int);
	CREATE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END';
	CREATE TRIGGER slow BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION slow_down();
	CREATE ROLE loader;
	SQL
$destination->safe_psql('postgres', "CREATE USER MAPPING FOR loader SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password')");

my ($method, %method, $copy, $long, %good);

# A case of a fault is right when all its checks are.
sub check
{
	my ($number, $ok, $name, $said) = @_;
	ok($ok, "$number $name, method $method") or diag($said // '');
	$good{$method}{$number} = ($good{$method}{$number} // 1) && $ok;
	return;
}

sub nothing_then_exact
{
	my ($number, $name) = @_;
	check($number, $destination->safe_psql('postgres', 'SELECT (SELECT count(*) FROM slow), (SELECT count(*) FROM rows)') eq '0|0',
		"$name: nothing is written");
	check($number, $destination->safe_psql('postgres', "$copy; SELECT count(*), count(DISTINCT id), sum(id) FROM rows; TRUNCATE rows") eq
		"20000\n20000|20000|200010000", "$name: the next run is exact");
	check($number, wait_until($source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'etl_reader'"),
		"$name: no session is left at the source");
	return;
}

# Starts a call that writes slowly, and waits until its first batches are written.
sub begin_run
{
	my ($session, $pid) = open_session($destination);
	start_call($session, $long);
	wait_until($destination, "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'PgSleep'")
	  or die 'the run did not begin';
	return ($session, $pid);
}

# Ends the call of a session somehow; the SQLSTATE and what was said.
sub fails
{
	my ($number, $session, $wanted, $name) = @_;
	my ($sqlstate, $said) = end_of_call($session);
	check($number, $sqlstate =~ /^($wanted)$/, "$name: $wanted", "$sqlstate $said");
	return $said;
}

for ('cursor', 'copy')
{
	$method = $_;
	%method = (method => "'$method'");
	$copy = copy_sql('TABLE rows', undef, %method);
	# Hardly ends by itself. COPY sends ahead without bound: were the source not slow too, it would wait for this server to
	# read, and see no conflict, and this server would read for minutes what a lost source had sent.
	$long = copy_sql('SELECT r.id FROM other AS r, generate_series(1, 100000)' . ($method eq 'copy' ? ' WHERE pg_sleep(0.001) IS NOT NULL' : ''),
		undef, target => "'slow'", batch => 100, %method);

	# F7: the postmaster is killed; F8: it is told to stop.
	{
		my ($session, $pid) = begin_run();
		$destination->kill9;
		eval { $session->{run}->finish };
		for (1 .. 6000) { last unless kill 0, $pid; usleep(10_000); }
		check('F7', !kill(0, $pid), "postmaster killed: the backend ends");
		$destination->start;
		nothing_then_exact('F7', 'postmaster killed');
	}
	for my $mode ('fast', 'immediate')
	{
		my ($session) = begin_run();
		my $begin = time;
		$destination->stop($mode);
		note(sprintf '%s stop: %d ms', $mode, 1000 * (time - $begin));
		eval { $session->{run}->finish };
		$destination->start;
		nothing_then_exact('F8', "$mode stop");
	}

	# F22: all descriptors that external libraries may have are taken. How many that are is found out in a session of its own:
	# from 16 on, an error of dblink_connect for want of one leaves the server's count of them one too low.
	{
		my $connection = sprintf 'host=%s port=%d dbname=postgres user=etl_trusted', $source->host, $source->port;
		my $fill = <<~SQL;
			CREATE FUNCTION pg_temp.fill(most int) RETURNS int LANGUAGE plpgsql AS \$\$
			BEGIN
			  FOR i IN 1 .. most LOOP
			    BEGIN PERFORM dblink_connect('c' || i, '$connection'); EXCEPTION WHEN OTHERS THEN RETURN i - 1; END;
			  END LOOP;
			  RETURN most;
			END \$\$;
			SQL
		my $most = $destination->safe_psql('postgres', "$fill SELECT pg_temp.fill(100)");
		my ($session) = open_session($destination);
		my $opened = $session->query_safe("$fill SELECT pg_temp.fill($most)");
		ok($opened < 100 && $opened == $most, "F22 descriptors are used up by $opened connections");
		start_call($session, $copy);
		my $said = fails('F22', $session, '53000', 'no descriptor');
		check('F22', $said =~ /could not connect to source server.*HINT:.*max_files_per_process/s, 'no descriptor: message and hint', $said);
		$session->query_safe("SELECT count(dblink_disconnect(name)) FROM unnest(dblink_get_connections()) AS c(name)");
		check('F22', $session->query_safe("BEGIN; $copy; ROLLBACK") eq '20000', 'no descriptor: the same session copies afterwards');
		$session->quit;
		nothing_then_exact('F22', 'no descriptor');
	}

	# F24: somebody holds the target; F25: and waits for us; F26: we hold what the source waits for, both being this server.
	{
		my ($holder) = open_session($destination);
		my ($session) = open_session($destination);
		$holder->query_safe('BEGIN; LOCK TABLE rows');
		start_call($session, "SET lock_timeout = '100ms'; $copy");
		fails('F24', $session, '55P03', 'target locked');
		$session->query_safe("SET lock_timeout = 0; SET deadlock_timeout = '50ms'; BEGIN; LOCK TABLE other");
		start_call($holder, "SET deadlock_timeout = '60s'; LOCK TABLE other");
		start_call($session, $copy);
		fails('F25', $session, '40P01', 'deadlock');
		$session->query_safe('ROLLBACK');
		$holder->query_safe('ROLLBACK');
		nothing_then_exact('F24', 'target locked');
		nothing_then_exact('F25', 'deadlock');

		my $here = sprintf q('host=%s port=%d dbname=postgres'), $destination->host, $destination->port;
		$session->query_safe("SET lock_timeout = '100ms'; BEGIN; LOCK TABLE other");
		start_call($session, copy_sql('TABLE other', undef, src_conninfo => $here, target => "'rows'", %method));
		my $said = fails('F26', $session, '55P03', 'loopback deadlock');
		check('F26', $said =~ /on source server/, 'loopback deadlock: it is the source that waited', $said);
		$session->query_safe('ROLLBACK');
		$_->quit for $session, $holder;
		nothing_then_exact('F26', 'loopback deadlock');
	}

	# F30: the tables of a run cannot change under it.
	{
		my ($session, $pid) = begin_run();
		for my $table ([ $destination, 'slow' ], [ $source, 'other' ])
		{
			my ($node, $name) = @$table;
			my $said = one_line($node, 'verbose', "SET lock_timeout = '100ms'", "ALTER TABLE $name DROP COLUMN id");
			check('F30', $said =~ /55P03/, 'a column goes away at the ' . $node->name . ': it waits', $said);
		}
		$destination->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
		fails('F30', $session, '57014', 'a column goes away');
		$session->quit;
		nothing_then_exact('F30', 'a column goes away');
	}

	# F33: a prepared transaction outlives this server.
	{
		$destination->safe_psql('postgres', "BEGIN; $copy; PREPARE TRANSACTION 'load'");
		$destination->restart;
		check('F33', $destination->safe_psql('postgres', 'SELECT count(*) FROM rows') eq '0', 'prepared: not yet there');
		$destination->safe_psql('postgres', "COMMIT PREPARED 'load'");
		check('F33', $destination->safe_psql('postgres', 'SELECT count(*), sum(id) FROM rows') eq '20000|200010000', 'prepared: exact');
		$destination->safe_psql('postgres', 'TRUNCATE rows');
		nothing_then_exact('F33', 'prepared');
	}

	# F36: nobody has to wait for a run that waits for its source.
	{
		my ($session, $pid) = open_session($destination);
		my $conninfo = $hostile->conninfo('mute', 'connect_timeout=120');
		start_call($session, copy_sql('TABLE rows', undef, src_conninfo => "\$c\$$conninfo\$c\$", %method));
		my ($watcher) = open_session($destination);
		poll_session($watcher, "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension'", 1);
		$watcher->quit;
		$destination->safe_psql('postgres', 'CREATE DATABASE passing');
		$destination->safe_psql('postgres', 'DROP DATABASE passing');
		check('F36', $destination->safe_psql('postgres', "SELECT wait_event_type FROM pg_stat_activity WHERE pid = $pid") eq 'Extension',
			'DROP DATABASE: done while the run still waits');
		$destination->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
		fails('F36', $session, '57014', 'DROP DATABASE');
		$session->quit;
		nothing_then_exact('F36', 'DROP DATABASE');
	}

	# F37: rights go away between two runs of one session.
	{
		my $port = $source->port;
		$destination->safe_psql('postgres', <<~SQL);
			ALTER ROLE loader SUPERUSER;
			GRANT EXECUTE ON FUNCTION copy_incremental TO loader;
			GRANT INSERT ON rows TO loader;
			GRANT USAGE ON FOREIGN SERVER src TO loader;
			SQL
		my $trusting = copy_sql('TABLE rows', undef, src_conninfo => "'host=127.0.0.1 port=$port dbname=postgres user=etl_trusted'", %method);
		my ($session) = open_session($destination);
		$session->query_safe('SET ROLE loader');
		check('F37', $session->query_safe("BEGIN; $trusting; $copy; ROLLBACK") eq "20000\n20000", 'rights: a superuser copies');
		my @loss = (
			[ 'superuser', 'ALTER ROLE loader NOSUPERUSER', $trusting, '2F003' ],
			[ 'INSERT', 'REVOKE INSERT ON rows FROM loader', $copy, '42501' ],
			[ 'USAGE', 'GRANT INSERT ON rows TO loader; REVOKE USAGE ON FOREIGN SERVER src FROM loader', $copy, '42501' ],
			[ 'EXECUTE', 'GRANT USAGE ON FOREIGN SERVER src TO loader; REVOKE EXECUTE ON FUNCTION copy_incremental FROM loader', $copy, '42501' ]);
		for my $loss (@loss)
		{
			$destination->safe_psql('postgres', $loss->[1]);
			start_call($session, $loss->[2]);
			fails('F37', $session, $loss->[3], "rights: $loss->[0] is lost");
		}
		$session->quit;
		nothing_then_exact('F37', 'rights');
	}

	# F28: the source is a standby, and recovery needs what the run reads; F29: the source is gone, and the standby takes over.
	{
		my $backup = $source->backup('for_standby');
		my $standby = new_source("standby_$method");
		$standby->init_from_backup($source, 'for_standby', has_streaming => 1);
		$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = 0\nlisten_addresses = '127.0.0.1'\n");
		$standby->start;
		my ($old_port, $new_port) = map { $_->port } $source, $standby;
		my $use = sub { my ($port) = @_; $destination->safe_psql('postgres', "ALTER SERVER src OPTIONS (SET port '$port')"); };
		$use->($new_port);
		check('F28', $destination->safe_psql('postgres', "$copy; TRUNCATE rows") eq '20000', 'standby: a run');
		my ($session) = begin_run();
		$source->safe_psql('postgres', "ALTER TABLE other ADD COLUMN note_$method text");
		my $said = fails('F28', $session, '40001|08006', 'recovery conflict');
		check('F28', $said =~ /HINT:  Nothing was written; run again/, 'recovery conflict: hint', $said);
		$session->quit;
		nothing_then_exact('F28', 'recovery conflict');

		$use->($old_port);
		($session) = begin_run();
		$source->wait_for_catchup($standby->name);
		$source->stop('immediate');
		fails('F29', $session, '08006', 'failover');
		$session->quit;
		$standby->promote;
		$use->($new_port);
		$source = $standby;
		nothing_then_exact('F29', 'failover');
	}
}
$source->stop;

my @numbers = sort { substr($a, 1) <=> substr($b, 1) } keys %{ $good{cursor} };
diag(sprintf 'faults: %d kinds; method cursor %d right, method copy %d right: %s', scalar @numbers,
	(map { my $right = $good{$_}; scalar grep { $right->{$_} } @numbers } 'cursor', 'copy'), join ' ', @numbers);
done_testing();
