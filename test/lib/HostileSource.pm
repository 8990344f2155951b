# A server that speaks PostgreSQL's protocol as far as a run needs it, and breaks it on purpose: what it does wrong, and
# where, is a scenario. The database of the connection names the scenario.
#
# A scenario is a hash. A key is a point of the session: startup, begin, describe, lookup, declare, fetch, copy, commit,
# cancel, and select for a query of dblink's; or "fetch 2" for the second time a connection comes there. Its value is a function that gets the messages of
# the right answer and returns those to send instead. An element that is a function is called when its turn comes.
# The key rows is the number of rows of the table (id int4, note text) that the server has, 12 unless given; columns, a list
# of [name, type oid], and values make it another table whose rows have these bytes.
package HostileSource;

use strict;
use warnings;

use ForkingServer;
use File::Temp;
use HostileSession;
use Time::HiRes qw(usleep);

use parent -norequire, 'ForkingServer';
use Exporter 'import';
our @EXPORT = qw(start_hostile_source);

# Starts it for these scenarios (name => scenario); it listens on a port of 127.0.0.1 until the test ends.
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

# How many connections are open.
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

# Waits until no connection is open; false after three minutes.
sub is_left_alone
{
	my ($self) = @_;
	for (1 .. 180 * 50) { return 1 if $self->connections == 0; usleep(20_000); }
	return 0;
}

1;
