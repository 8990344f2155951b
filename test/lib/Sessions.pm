# Sessions that stay open during a test: calls that another session watches, cancels or kills.
package Sessions;

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use Exporter 'import';
our @EXPORT = qw(open_session start_call await_call end_of_call outcome_of outcome_within poll_session start_client end_of_client usage);

# A psql that continues after an error and prints SQLSTATEs, and the process id of its backend.
sub open_session
{
	my ($node) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	$session->set_query_timer_restart;
	# query_safe treats a warning as a failure.
	$session->query_safe('SET client_min_messages = error');
	return ($session, $session->query_safe('SELECT pg_backend_pid()'));
}

# Sends SQL in a session of psql and does not wait for it to end. A short call may end before psql's output is read, and
# query_until discards what it has read, so that is kept.
sub start_call
{
	my ($session, $sql) = @_;
	$session->{stdout} = $session->query_until(qr/call begins\n/, "\\echo call begins\n$sql;\n") =~ s/.*call begins\n//sr;
	return;
}

# Waits until the server of another session executes a call: a cancel before that would be lost.
sub await_call
{
	my ($watcher, $pid) = @_;
	poll_session($watcher, "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $pid") or die 'the call has not begun';
	return;
}

# Waits for the error that ends the call. Returns its SQLSTATE and everything that psql wrote to stderr. After FATAL
# psql has exited; otherwise the session can be used again.
sub end_of_call
{
	my ($session) = @_;
	pump_until($session->{run}, $session->{timeout}, \$session->{stderr}, qr/^.*(ERROR|FATAL):  \w{5}: .*\n/m);
	my $fatal = $session->{stderr} =~ /^.*FATAL:  /m;
	$fatal ? $session->{run}->finish : $session->query('SELECT 1');    # the rest of the message
	my $said = $session->{stderr};
	$session->{stderr} = '';
	my ($sqlstate) = $said =~ /(?:ERROR|FATAL):  (\w{5}): /;
	return ($sqlstate // 'no error', $said);
}

# The number of open sockets, pipes and epoll descriptors of a process, and its private memory in kB. Open files of
# tables are not counted, because the server manages them. Private_Dirty is not used, because it includes pages of
# shared memory that only this process has used. Sanitizers and valgrind keep freed memory, so the memory is 0 there.
sub usage
{
	my ($pid) = @_;
	my @files = grep { (readlink($_) // '') =~ /^\w+:/ } glob "/proc/$pid/fd/*";
	my ($memory) = slurp_file("/proc/$pid/smaps_rollup") =~ /^Anonymous: +(\d+) kB/m;
	return (scalar @files, $ENV{ASAN_OPTIONS} || $ENV{VALGRIND} ? 0 : $memory);
}

# Runs SQL in such a session. Returns its SQLSTATE, 00000 for success, and everything that psql wrote.
sub outcome_of
{
	my ($session, $sql) = @_;
	my $out = $session->query($sql);
	my $said = $session->{stderr};
	$session->{stderr} = '';
	my ($state) = $said =~ /ERROR:  (\w{5}): /;
	return ($state // '00000', "$said$out");
}

# The same with this statement_timeout for the call alone: on a busy machine it would end the test's own statements, too.
sub outcome_within
{
	my ($session, $timeout, $sql) = @_;
	return outcome_of($session, "SET statement_timeout = '$timeout';\n$sql;\nSET statement_timeout = 0");
}

# Starts a psql that runs these statements, each in its own transaction, until one fails. Its application_name
# identifies its backend. Pass the result to end_of_client.
sub start_client
{
	my ($node, $application_name, @statements) = @_;
	my %client = (out => '', err => '');
	my $connection = $node->connstr('postgres') . " application_name='$application_name'";
	$client{run} = IPC::Run::start(
		[ qw(psql -XAtq -v VERBOSITY=verbose -v ON_ERROR_STOP=1 -d), $connection, map { ('-c', $_) } @statements ],
		'<', \undef, '>', \$client{out}, '2>', \$client{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%client;
}

# Waits until such a psql exits. Returns the SQLSTATE ('00000' for success, 'lost' without an answer) and its output to
# stdout and stderr.
sub end_of_client
{
	my ($client) = @_;
	my $done = $client->{run}->finish;
	chomp(my $out = $client->{out});
	my ($sqlstate) = $client->{err} =~ /(?:ERROR|FATAL):  (\w{5}): /;
	return ($done ? '00000' : $sqlstate // 'lost', $out, $client->{err});
}

# Polls a query in an open session until it returns this value, with a shorter interval than wait_until. Returns false
# after three minutes.
sub poll_session
{
	my ($session, $sql, $value) = @_;
	$value //= 't';
	for my $attempt (1 .. 180 * 50)
	{
		return 1 if $session->query_safe($sql) eq $value;
		usleep(20_000);
	}
	return 0;
}

1;
