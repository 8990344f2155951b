# A source that says nothing, says it slowly, or never stops: a timeout, a cancel and a termination end the run in every
# such state, nothing is written, and neither memory nor the log has grown. PG_TEST_EXTRA=hostile lets floods run for 10 s.
# F numbers count the kinds of faults, see test/reliability.md.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use List::Util qw(max sum0);
use TwoServers;
use Test::More;
use Time::HiRes qw(time usleep);

my $seconds = ($ENV{PG_TEST_EXTRA} // '') =~ /\bhostile\b/ ? 10 : 1;

my $one_row = row(pack('N', 1), 'a row');
my $after_description = sub { my (@more) = @_; return sub { return ((grep { /^[12T]/ } @_), @more) } };

# F number, what the source does, the scenario, whether it is a flood, the SQLSTATE in which the run ends by itself.
my @cases = (
	[ 'F11', 'silent from the start', { startup => sub { return silence() } } ],
	[ 'F11', 'silent after the authentication', { startup => sub { return ($_[0], silence()) } } ],
	(map { [ 'F11', "silent in answer to $_", { $_ => sub { return silence() } } ] } qw(begin settings describe declare fetch commit)),
	[ 'F11', 'silent after a row', { fetch => $after_description->($one_row, silence()) } ],
	[ 'F11', 'silent in mid-row', { fetch => $after_description->(substr($one_row, 0, 9), silence()) } ],
	[ 'F11', 'silent after the second batch', { 'fetch 3' => sub { return silence() } } ],
	[ 'F11', 'a row a second', { fetch => $after_description->(trickle($one_row)) } ],
	[ 'F11', 'a parameter a second from the start', { startup => sub { return ($_[0], trickle(parameter('application_name', 'x'))) } } ],
	[ 'F11', 'a notice a second', { declare => sub { return trickle(notice()) } } ],
	[ 'F17', 'notices from the start', { startup => sub { return ($_[0], flood(notice(M => 'noise ' x 100))) } }, 1 ],
	[ 'F17', 'notices', { fetch => sub { return flood(notice(M => 'noise ' x 100)) } }, 1 ],
	[ 'F17', 'notices of 1 MB', { fetch => sub { return flood(notice(M => 'noise ' x 200_000)) } }, 1 ],
	[ 'F17', 'notifications', { fetch => sub { return flood(notify('noise ' x 100)) } }, 1 ],
	[ 'F17', 'notifications from the start', { startup => sub { return ($_[0], flood(notify('noise ' x 100))) } }, 1 ],
	[ 'F17', 'the same parameter', { fetch => sub { return flood(parameter('application_name', 'noise ' x 100)) } }, 1 ],
	# libpq keeps every parameter: until the run ends, their memory has no bound.
	[ 'F17', 'other parameters', { fetch => sub { return flood(sub { parameter('name' . $_[0], 'noise ' x 4000) }) } }, 'unbounded' ],
	[ 'F17', 'other parameters from the start', { startup => sub { return ($_[0], flood(sub { parameter('name' . $_[0], 'noise ' x 4000) })) } }, 'unbounded' ],
	[ 'F17', 'empty results', { declare => sub { return ((grep { /^[12n]/ } @_), flood(complete('DECLARE CURSOR'))) } }, 1, '08P01' ],
	[ 'F17', 'results of BEGIN', { begin => sub { return flood(complete('BEGIN')) } }, 1, '08P01' ],
	[ 'F18', 'rows', { fetch => $after_description->(flood($one_row)) }, 1, '08P01' ],
	[ 'F18', 'wide rows', { fetch => $after_description->(flood(row(pack('N', 1), 'wide' x 25_000))) }, 1, '08P01' ],
	[ 'F18', 'COPY data', { fetch => sub { return ((grep { /^[12]/ } @_), message('H', pack 'Cn', 0, 0), flood(copy_data("x\n"))) } }, 1, '08P01' ]);

# Method copy: the same where the messages are the same, and its own.
my $in_stream = sub { my (@more) = @_; return sub { return ((grep { /^[12H]/ } @_), (grep { /^d/ } @_)[0], @more) } };
my $copied_row = copy_data(substr $one_row, 5);
my $noise = 'noise ' x 100;
push @cases, map { [ $_->[0], "$_->[1], method copy", { %{ $_->[2] }, method => 'copy' }, @$_[ 3, 4 ] ] }
  (grep { !grep { /^(declare|fetch)/ } keys %{ $_->[2] } } @cases),
  [ 'F11', 'silent in answer to COPY', { copy => sub { return silence() } } ],
  [ 'F11', 'silent after a row', { copy => $in_stream->(silence()) } ],
  [ 'F11', 'silent in mid-row', { copy => $in_stream->(substr($copied_row, 0, 9), silence()) } ],
  [ 'F11', 'silent before the end', { copy => replace_first('C', silence()) } ],
  [ 'F11', 'a row a second', { copy => $in_stream->(trickle($copied_row)) } ],
  [ 'F11', 'a notice a second', { copy => $in_stream->(trickle(notice())) } ],
  [ 'F17', 'notices', { copy => $in_stream->(flood(notice(M => $noise))) }, 1 ],
  [ 'F17', 'notices of 1 MB', { copy => $in_stream->(flood(notice(M => 'noise ' x 200_000))) }, 1 ],
  [ 'F17', 'notifications', { copy => $in_stream->(flood(notify($noise))) }, 1 ],
  [ 'F17', 'the same parameter', { copy => $in_stream->(flood(parameter('application_name', $noise))) }, 1 ],
  [ 'F17', 'other parameters', { copy => $in_stream->(flood(sub { parameter('name' . $_[0], 'noise ' x 4000) })) }, 'unbounded' ],
  [ 'F17', 'results', { copy => sub { return flood(complete('COPY 1')) } }, 1, '08P01' ],
  # They might be the rows of a table without an end.
  [ 'F18', 'rows', { copy => $in_stream->(flood($copied_row)) }, 1 ],
  [ 'F18', 'wide rows', { copy => $in_stream->(flood(copy_data(substr row(pack('N', 1), 'wide' x 25_000), 5))) }, 1 ];

my $hostile = start_hostile_source(good => {}, map { ("$_->[0] $_->[1]" => $_->[2]) } @cases);

my $destination = PostgreSQL::Test::Cluster->new('destination');
$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$destination->append_conf('postgresql.conf', "log_min_messages = debug1\nlog_statement = none\n");
$destination->start;
$destination->safe_psql('postgres', <<~'SQL');
	CREATE EXTENSION pg_copy_incremental;
	CREATE TABLE rows (id int, note text);
	INSERT INTO rows VALUES (0, 'was here');
	SQL

sub call
{
	my ($name, %argument) = @_;
	my $conninfo = $hostile->conninfo($name, 'connect_timeout=60');
	return copy_sql('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$$conninfo\$c\$", batch => 5, target => "'rows'", %argument);
}

my ($watcher) = open_session($destination);

# Private memory of a process in kB, 0 when it has gone.
sub memory
{
	my ($pid) = @_;
	return eval { (usage($pid))[1] } // 0;
}

my (%good, %all, @late, $most_memory, $most_log);
$most_memory = $most_log = 0;

# A run in this state is ended in one of three ways, or ends by itself.
sub ends
{
	my ($case, $way, $session, $pid) = @_;
	my ($number, $name, $scenario, $is_flood, $own_end) = @$case;
	my ($memory_before, $log_before) = (memory($pid), -s $destination->logfile);
	my $timeout = $way eq 'timeout' ? '300ms' : $own_end ? '30s' : 0;
	$session->query_safe("SET statement_timeout = '$timeout'");
	start_call($session, call("$number $name", method => "'" . ($scenario->{method} // 'cursor') . "'"));
	# Whatever the state is, the run is connecting or waiting for the source before this much time has passed.
	my $until = time + ($is_flood && $is_flood ne 'unbounded' && $way ne 'terminate' ? $seconds : 0.3);
	my $peak = 0;
	while (time < $until) { $peak = max($peak, memory($pid)); usleep(20_000); }
	my $begin = time;
	$watcher->query_safe("SELECT pg_${way}_backend($pid)") if $way =~ /cancel|terminate/;
	my ($state, $said) = end_of_call($session);
	my $took = 1000 * (time - $begin);
	my $wanted = $own_end // ($way eq 'terminate' ? '57P01' : '57014');
	my $content = $watcher->query_safe('SELECT count(*), sum(id), (SELECT count(*) FROM copy_incremental_runs) FROM rows');
	my $left = $hostile->is_left_alone ? 0 : $hostile->connections;
	my $growth = ($is_flood // '') eq 'unbounded' ? 0 : max(0, $peak - $memory_before);
	my $log = (-s $destination->logfile) - $log_before;
	my $ok = ok($state eq $wanted && $content eq '1|0|0' && $left == 0
		  && $growth < 50 * 1024 && $log < 200_000, "$number $name: $way")
	  or diag("wanted $wanted, got $state; target: $content; connections: $left; memory + $growth kB; log + $log bytes: "
		  . substr($said, 0, 1000));
	note(sprintf '%s %s, %s: %s after %d ms; memory + %d kB, log + %d bytes', $number, $name, $way, $state, $took, $growth, $log);
	($most_memory, $most_log) = (max($most_memory, $growth), max($most_log, $log));
	push @late, $took if $way =~ /cancel|terminate/ && $state eq $wanted;
	$all{$number}++;
	$good{$number}++ if $ok;
	return;
}

for my $case (@cases)
{
	my ($session, $pid) = open_session($destination);
	ends($case, $_, $session, $pid) for $case->[4] ? 'by itself' : qw(timeout cancel);
	$session->query_safe('SET statement_timeout = 0');
	is($session->query_safe('BEGIN; ' . call('good') . '; SELECT count(*), sum(id) FROM rows; ROLLBACK'), "12\n13|78",
		"$case->[0] $case->[1]: the session copies again");
	$case->[4] ? $session->quit : ends($case, 'terminate', $session, $pid);
}

# connect_timeout holds even where the source keeps talking (H3).
for my $name ('F11 silent from the start', 'F11 a parameter a second from the start', 'F17 notices from the start')
{
	my $conninfo = $hostile->conninfo($name, 'connect_timeout=2');
	fails_with($destination, "SET statement_timeout = '60s'; " . copy_sql('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$$conninfo\$c\$",
			target => "'rows'"), '08001', qr/could not connect.*not established within connect_timeout/s, "connect_timeout, $name");
}

@late = sort { $a <=> $b } @late;
diag(sprintf 'silence and floods: %d of %d cases right: %s; the error after a cancel or termination: median %d ms, longest %d ms; '
	  . 'memory + %d kB at most, log + %d bytes at most', sum0(values %good), sum0(values %all),
	join(', ', map { sprintf '%s %d of %d', $_, $good{$_} // 0, $all{$_} } sort keys %all),
	$late[ @late / 2 ], $late[-1], $most_memory, $most_log);
$watcher->quit;
done_testing();
