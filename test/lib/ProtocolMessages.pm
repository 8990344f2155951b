# The messages that a PostgreSQL server sends, as bytes, and functions with which a scenario of HostileSource.pm changes
# a list of messages.
package ProtocolMessages;

use strict;
use warnings;

use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);

use Exporter 'import';
our @EXPORT = qw(message parameter error notice notify row tuple description complete ready copy_data silence hang_up
  reset_connection trickle flood replace_first insert_before insert_after without);

sub message { my ($type, $body) = @_; return $type . pack('N', 4 + length($body // '')) . ($body // ''); }
sub parameter { my ($name, $value) = @_; return message('S', "$name\0$value\0"); }
sub fields { my (%field) = @_; return join('', map { "$_$field{$_}\0" } sort keys %field) . "\0"; }
sub error { my (%field) = @_; return message('E', fields(S => 'ERROR', V => 'ERROR', C => 'XX999', M => 'a failure', %field)); }
sub notice { my (%field) = @_; return message('N', fields(S => 'NOTICE', V => 'NOTICE', C => '00000', M => 'a notice', %field)); }
sub notify { my ($payload) = @_; return message('A', pack('N', 1) . "channel\0$payload\0"); }
sub complete { my ($tag) = @_; return message('C', "$tag\0"); }
sub ready { my ($status) = @_; return message('Z', $status); }
sub copy_data { my ($bytes) = @_; return message('d', $bytes); }
sub row { return message('D', tuple(@_)); }

# The values of a row in the format of DataRow and binary COPY; undef is NULL.
sub tuple
{
	return pack('n', scalar @_) . join '', map { defined $_ ? pack('N', length $_) . $_ : pack('l>', -1) } @_;
}

# RowDescription of columns [name, type oid, format].
sub description
{
	my (@columns) = @_;
	return message('T', pack('n', scalar @columns) . join '', map {
			my ($name, $type, $format) = @$_;
			"$name\0" . pack('NnNnl>n', 0, 0, $type, $type == 23 ? 4 : 65535, -1, $format)
		} @columns);
}

# --- actions that a list of messages can contain

# Sends nothing until the client disconnects.
sub silence { return sub { $_[0]->wait_for_end } }
sub hang_up { return sub { POSIX::_exit(0) } }
sub reset_connection
{
	return sub {
		setsockopt($_[0]{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
		close $_[0]{socket};
		POSIX::_exit(0);
	}
}

# Sends the messages one by one, one per second, without end.
sub trickle
{
	my (@messages) = @_;
	return sub { my ($session) = @_; for (my $i = 0;; ++$i) { $session->put($messages[ $i % @messages ]); sleep 1; } };
}

# Sends the result of a function, or always the same bytes, without end.
sub flood
{
	my ($what) = @_;
	my $block = ref $what ? undef : $what x (1 + int(65536 / length $what));
	return sub { my ($session) = @_; for (my $i = 0;; ++$i) { $session->put($block // $what->($i)); } };
}

# --- changes of a list of messages

sub place_of
{
	my ($type, $messages, $nth) = @_;
	my @places = grep { !ref $messages->[$_] && substr($messages->[$_], 0, 1) eq $type } 0 .. $#$messages;
	return @places ? $places[ ($nth // 1) - 1 ] // $places[-1] : scalar @$messages;
}

# Functions for a scenario: they replace the first message of this type, or insert messages before or after it.
sub replace_first { my ($type, @new) = @_; return sub { splice @_, place_of($type, \@_), 1, @new; return @_; } }
sub insert_before { my ($type, @new) = @_; return sub { splice @_, place_of($type, \@_), 0, @new; return @_; } }
sub insert_after { my ($type, @new) = @_; return sub { splice @_, place_of($type, \@_) + 1, 0, @new; return @_; } }
sub without { my ($type) = @_; return sub { return grep { ref $_ || substr($_, 0, 1) ne $type } @_; } }

1;
