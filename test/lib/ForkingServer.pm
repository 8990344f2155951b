# A server of a test: a process on a port of 127.0.0.1 with a child for each connection, until the test ends.
package ForkingServer;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();

# $serve->($socket, $number) runs in the child; the number of the connection counts from 1, in the order of their beginning.
# The connection ends with the child.
sub new
{
	my ($class, $serve) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 100) or die $!;
	my $pid = fork // die $!;
	if ($pid == 0)
	{
		setpgrp;
		$SIG{CHLD} = 'IGNORE';
		$SIG{TERM} = 'DEFAULT';
		my $number = 0;
		while (1)
		{
			my $socket = $listener->accept or next;
			$number++;
			my $child = fork;
			if (defined $child && $child == 0) { $serve->($socket, $number); POSIX::_exit(0); }
			close $socket;
		}
	}
	my $port = $listener->sockport;
	close $listener;
	return bless { pid => $pid, port => $port }, $class;
}

sub port { return $_[0]{port}; }

# Ends the connections of this moment, as a network that is cut, and returns their number.
sub cut
{
	my ($self) = @_;
	open(my $file, '<', "/proc/$self->{pid}/task/$self->{pid}/children") or die $!;
	my @children = split ' ', <$file> // '';
	return kill 'TERM', @children;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!);
	if (kill -15, $self->{pid}) { waitpid $self->{pid}, 0; }
	return;
}

# Sends bytes. If the connection has ended, the process exits.
sub put
{
	my ($socket, $bytes) = @_;
	while (length $bytes)
	{
		my $sent = syswrite $socket, $bytes;
		POSIX::_exit(0) unless $sent;
		substr($bytes, 0, $sent) = '';
	}
	return;
}

1;
