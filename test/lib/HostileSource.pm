# A server that implements PostgreSQL's protocol as far as a run needs it, and violates it as a scenario says. The
# database of the connection names the scenario.
#
# A scenario is a hash. A key is a point of the session: startup, begin, settings, describe, tables, lookup, settled, declare, fetch, copy, commit,
# cancel, or select for a query of dblink; or "fetch 2" for the second time that a connection reaches it. The value is a
# function that receives the messages of the right answer and returns the messages to send. An element that is a
# function is called when it is reached. The key rows is the number of rows of the table (id int4, note text) on the
# server, by default 12. The keys columns, a list of [name, type oid], and values define another table, whose rows have
# these bytes.
package HostileSource;

use strict;
use warnings;

use File::Temp;
use HostileSession;
use Sessions;
use Test::More;
use Time::HiRes qw(usleep);

use parent 'ForkingServer';
use Exporter 'import';
our @EXPORT = qw(start_hostile_source);

# Starts the server for these scenarios (name => scenario). It listens on a port of 127.0.0.1 until the test ends.
sub start_hostile_source
{
	my (%scenarios) = @_;
	my $folder = File::Temp->newdir;    # a file for each connection
	my $self = __PACKAGE__->new(sub { HostileSession::serve($_[0], \%scenarios, "$folder/$$"); });
	$self->{folder} = $folder;
	return $self;
}

# The connection string of a scenario.
sub conninfo
{
	my ($self, $scenario, $more) = @_;
	return "host=127.0.0.1 port=$self->{port} user=etl_reader dbname='$scenario' sslmode=disable " . ($more // '');
}

# The number of open connections.
sub connections
{
	my ($self) = @_;
	my $open = 0;
	for my $file (glob "$self->{folder}/*")
	{
		my ($pid) = $file =~ /(\d+)$/;
		kill(0, $pid) ? $open++ : unlink $file;
	}
	return $open;
}

# Waits until no connection is open. Returns false after three minutes.
sub is_left_alone
{
	my ($self) = @_;
	for (1 .. 180 * 50) { return 1 if $self->connections == 0; usleep(20_000); }
	return 0;
}

# Tests that a call that fails with this SQLSTATE, made $times times, leaves no resources in its session, whose process
# is $pid, and no connection here.
sub leaves_nothing
{
	my ($self, $session, $pid, $call, $sqlstate, $times, $name) = @_;
	$call =~ s/'/''/g;
	# In portions, each with its own timeout.
	my $run = sub { return join '', map { (outcome_of($session, "SELECT '$call' FROM generate_series(1, 5) \\gexec"))[1] } 1 .. $_[0] / 5; };
	$run->(5);
	my @before = usage($pid);
	my $failed = () = $run->($times) =~ /ERROR:  ($sqlstate): /g;
	my @after = usage($pid);
	ok($failed == $times && $after[0] == $before[0] && $after[1] - $before[1] <= 1024 && $self->is_left_alone, "$times times $name")
	  or diag("$failed failed; descriptors $before[0], then $after[0]; memory $before[1] kB, then $after[1] kB");
	note(sprintf '%d times %s: memory + %d kB', $times, $name, $after[1] - $before[1]);
	return;
}

1;
