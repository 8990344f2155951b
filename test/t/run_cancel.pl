# Cancel, timeout, termination and the death of the client end a run in every state it can be in: nothing is written,
# and the source has neither a session nor a running query left.
use strict;
use warnings;

use IO::Socket::INET;
use TwoServers;
use Test::More;
use Time::HiRes qw(time);

my ($source, $destination) = start_servers();
my $password = $TwoServers::password;

$source->safe_psql('postgres', 'CREATE TABLE locked (id int); CREATE TABLE good (id int)');
$source->safe_psql('postgres', 'INSERT INTO good SELECT generate_series(1, 5000)');
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE target (id int);
	INSERT INTO target VALUES (0);
	CREATE TABLE slow (LIKE target);
	INSERT INTO slow VALUES (0);
	CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
	CREATE TRIGGER sleep BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION sleep();
	SQL

my ($at_source) = open_session($source);
my ($at_destination) = open_session($destination);
my ($locker) = open_session($source);
$locker->query_safe('BEGIN; LOCK TABLE locked');

# A host that takes connections and never says a word, and one whose queue of connections is full.
my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 20) or die $!;
my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die $!;
listen($full, 0);
my @fillers = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Blocking => 0) } 1 .. 3;

sub conninfo_of
{
	my ($socket) = @_;
	my $port = $socket->sockport;
	return "'host=127.0.0.1 port=$port dbname=x user=x password=$password connect_timeout=300'";
}

sub copy_into
{
	my ($target, $query, %argument) = @_;
	return copy_sql($query, undef, target => "'$target'", %argument);
}

my $source_is = q(SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'etl_reader' AND %s);
my $destination_is = q(SELECT count(*) > 0 FROM pg_stat_activity WHERE pid = %d AND %s);
my %state = (
	'connecting to a mute host' => {
		call => copy_into('target', 'TABLE good', src_conninfo => conninfo_of($mute)),
		here => "wait_event_type = 'Extension'" },
	'connecting to a full host' => {
		call => copy_into('target', 'TABLE good', src_conninfo => conninfo_of($full)),
		here => "wait_event_type = 'Extension'" },
	'source computing' => {
		call => copy_into('target', 'SELECT count(*)::int AS id FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b'),
		there => "query ~ '^FETCH' AND state = 'active' AND wait_event IS NULL" },
	'source waiting for a lock' => {
		call => copy_into('target', 'TABLE locked'),
		there => "wait_event_type = 'Lock'" },
	'fetching a long result' => {
		call => copy_into('target', 'SELECT generate_series(1, 1000000000) AS id', batch => 1000000),
		there => "query ~ '^FETCH' AND state = 'active'" },
	'writing batch after batch' => {
		call => copy_into('target', 'SELECT generate_series(1, 1000000000) AS id', batch => 100),
		there => "query ~ '^FETCH' AND now() - xact_start > '200 ms'" },
	'a trigger sleeping' => {
		call => copy_into('slow', 'TABLE good', batch => 100),
		here => "wait_event = 'PgSleep'" },
	'COPY computing' => {
		call => copy_into('target', 'SELECT count(*)::int AS id FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b', method => "'copy'"),
		there => "query ~ '^COPY' AND state = 'active' AND wait_event IS NULL" },
	'COPY of a long result' => {
		call => copy_into('target', 'SELECT generate_series(1, 1000000000) AS id', method => "'copy'"),
		there => "query ~ '^COPY' AND now() - xact_start > '200 ms'" },
	'COPY with a trigger sleeping' => {
		call => copy_into('slow', 'TABLE good', method => "'copy'"),
		here => "wait_event = 'PgSleep'" });

# Starts the call of a state in a session and waits until it is in that state.
sub reach
{
	my ($state, $session, $pid) = @_;
	start_call($session, $state->{call});
	return $state->{here}
	  ? poll_session($at_destination, sprintf($destination_is, $pid, $state->{here}))
	  : poll_session($at_source, sprintf($source_is, $state->{there}));
}

# What holds after every end of a run.
sub nothing_is_left
{
	my ($name, $since) = @_;
	ok(poll_session($at_source, sprintf($source_is, 'true'), 'f'), "$name: no session is left at the source");
	note(sprintf('%s: %d ms until the source was free', $name, 1000 * (time - $since)));
	is($at_destination->query_safe('SELECT count(*), sum(id) FROM (TABLE target UNION ALL TABLE slow) AS both_targets'),
		'2|0', "$name: nothing is written");
}

sub ends_with
{
	my ($name, $session, $since, $wanted) = @_;
	my ($sqlstate, $said) = end_of_call($session);
	note(sprintf('%s: %d ms until the error', $name, 1000 * (time - $since)));
	is($sqlstate, $wanted, "$name: SQLSTATE") or diag($said);
}

sub still_works
{
	my ($name, $session) = @_;
	$session->query_safe('SET statement_timeout = 0');
	is($session->query_safe('BEGIN;' . copy_into('target', 'TABLE good') . ';SELECT count(*) FROM target;ROLLBACK'),
		"5000\n5001", "$name: the session copies again");
}

for my $name (sort keys %state)
{
	my $state = $state{$name};
	my ($session, $pid) = open_session($destination);

	$session->query_safe("SET statement_timeout = '500 ms'");
	start_call($session, $state->{call});
	my $begin = time + 0.5;
	ends_with("timeout, $name", $session, $begin, '57014');
	nothing_is_left("timeout, $name", $begin);
	still_works("timeout, $name", $session);

	ok(reach($state, $session, $pid), "cancel, $name: reached");
	$begin = time;
	$at_destination->query_safe("SELECT pg_cancel_backend($pid)");
	ends_with("cancel, $name", $session, $begin, '57014');
	nothing_is_left("cancel, $name", $begin);
	still_works("cancel, $name", $session);

	ok(reach($state, $session, $pid), "terminate, $name: reached");
	$begin = time;
	$at_destination->query_safe("SELECT pg_terminate_backend($pid)");
	ends_with("terminate, $name", $session, $begin, '57P01');
	nothing_is_left("terminate, $name", $begin);

	($session, $pid) = open_session($destination);
	ok(reach($state, $session, $pid), "client killed, $name: reached");
	$begin = time;
	kill 'KILL', $session->{run}{KIDS}[0]{PID};
	ok(poll_session($at_destination, sprintf($destination_is, $pid, 'true'), 'f'), "client killed, $name: the backend ends");
	note(sprintf('client killed, %s: %d ms until the backend ended', $name, 1000 * (time - $begin)));
	nothing_is_left("client killed, $name", $begin);
	$session->{run}->finish;
}

# Every connection that the mute host took was closed.
my $open = 0;
$mute->blocking(0);
while (my $taken = $mute->accept)
{
	$taken->blocking(1);
	my $read = 1;
	$read = sysread($taken, my $bytes, 10000) while $read;
	$open++ unless defined $read || $!{ECONNRESET};
}
is($open, 0, 'no connection to the mute host is left open');

# A source that stops answering, its postmaster too, cannot be told to cancel: the run ends all the same.
my ($session, $pid) = open_session($destination);
for my $end ([ 'cancel', '57014' ], [ 'terminate', '57P01' ])
{
	my ($action, $sqlstate) = @$end;
	my $state = $state{'source computing'};
	ok(reach($state, $session, $pid), "$action, silent source: reached");
	my $serving = $at_source->query_safe("SELECT pid FROM pg_stat_activity WHERE usename = 'etl_reader'");
	my $postmaster = $source->{_pid};
	kill 'STOP', $serving, $postmaster;
	my $begin = time;
	$at_destination->query_safe("SELECT pg_${action}_backend($pid)");
	ends_with("$action, silent source", $session, $begin, $sqlstate);
	kill 'CONT', $serving, $postmaster;
	$begin = time;
	nothing_is_left("$action, silent source", $begin);
	still_works("$action, silent source", $session) if $action eq 'cancel';
}

$_->quit for $at_source, $at_destination, $locker;
done_testing();
