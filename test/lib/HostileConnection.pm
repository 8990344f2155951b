# A client's connection to a hostile server, as the process that serves it sees it: {socket} is that connection.
package HostileConnection;

use strict;
use warnings;

use ForkingServer;
use POSIX ();

sub put { my ($self, $bytes) = @_; ForkingServer::put($self->{socket}, $bytes); return; }

# Sends messages. One that is a function is called instead, after those before it were sent.
sub put_all
{
	my ($self, @messages) = @_;
	my $bytes = '';
	for my $message (@messages)
	{
		if (ref $message) { $self->put($bytes); $bytes = ''; $message->($self); }
		else { $bytes .= $message; }
	}
	$self->put($bytes);
	return;
}

sub wait_for_end
{
	my ($self) = @_;
	1 while sysread $self->{socket}, my $bytes, 65536;
	POSIX::_exit(0);
}

1;
