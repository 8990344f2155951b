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

use File::Temp;
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_LINGER TCP_NODELAY);
use Time::HiRes qw(usleep);

use Exporter 'import';
our @EXPORT = qw(start_hostile_source message parameter error notice notify row description complete ready copy_data
  silence hang_up reset_connection trickle flood replace_first insert_before insert_after without);

# --- messages, as bytes

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

# The values of a row as DataRow and COPY's binary format have them; undef is NULL.
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

# --- what a list of messages may hold besides: things to do

# Says nothing more until the client has gone.
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

# Sends the messages one by one, a second between them, for ever.
sub trickle
{
	my (@messages) = @_;
	return sub { my ($session) = @_; for (my $i = 0;; ++$i) { $session->put($messages[ $i % @messages ]); sleep 1; } };
}

# Sends what a function returns, for ever; or always the same bytes.
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

# Functions for a scenario: the first message of this type gives way to these; or they stand before or after it.
sub replace_first { my ($type, @new) = @_; return sub { splice @_, place_of($type, \@_), 1, @new; return @_; } }
sub insert_before { my ($type, @new) = @_; return sub { splice @_, place_of($type, \@_), 0, @new; return @_; } }
sub insert_after { my ($type, @new) = @_; return sub { splice @_, place_of($type, \@_) + 1, 0, @new; return @_; } }
sub without { my ($type) = @_; return sub { return grep { ref $_ || substr($_, 0, 1) ne $type } @_; } }

# --- the server

# Starts it for these scenarios (name => scenario); it listens on a port of 127.0.0.1 until the test ends.
sub start_hostile_source
{
	my (%scenarios) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 100) or die $!;
	my $folder = File::Temp->newdir;    # a file for each connection
	my $pid = fork // die $!;
	if ($pid == 0)
	{
		setpgrp;
		$SIG{CHLD} = 'IGNORE';
		$SIG{TERM} = 'DEFAULT';
		while (1)
		{
			my $socket = $listener->accept or next;
			my $child = fork;
			if (defined $child && $child == 0) { serve($socket, \%scenarios, "$folder/$$"); POSIX::_exit(0); }
			close $socket;
		}
	}
	my $port = $listener->sockport;
	close $listener;
	return bless { pid => $pid, port => $port, folder => $folder }, __PACKAGE__;
}

sub port { return $_[0]{port}; }

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

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!);
	if (kill -15, $self->{pid}) { waitpid $self->{pid}, 0; }
	return;
}

# --- a connection

sub serve
{
	my ($socket, $scenarios, $file) = @_;
	open(my $mark, '>', $file) or die $!;
	# As PostgreSQL does it; what waits to be sent when a process ends with input unread is lost.
	setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);
	my $self = bless { socket => $socket, in => '', unit => [], times => {}, place => 0, pid => $$ }, __PACKAGE__ . '::Session';
	$SIG{PIPE} = 'IGNORE';
	my %option;
	while (1)
	{
		my ($length) = unpack 'N', $self->get(4);
		my ($code, $rest) = unpack 'Na*', $self->get($length - 4);
		POSIX::_exit(0) if $code == 80877102;    # CancelRequest
		if ($code == 80877103 || $code == 80877104) { $self->put('N'); next; }
		%option = split /\0/, $rest;
		last;
	}
	$self->{scenario} = $scenarios->{ $option{database} } // {};
	$self->{rows} = $self->{scenario}{rows} // 12;
	my %setting = (client_encoding => 'UTF8', server_encoding => 'UTF8', standard_conforming_strings => 'on',
		server_version => '15.20', DateStyle => 'ISO, MDY', TimeZone => 'UTC', integer_datetimes => 'on');
	$self->answer('startup', message('R', pack 'N', 0), (map { parameter($_, $setting{$_}) } sort keys %setting),
		message('K', pack('NN', $$, 4711)), ready('I'));
	while (1)
	{
		my ($type, $length) = unpack 'aN', $self->get(5);
		$self->take($type, $self->get($length - 4));
	}
}

package HostileSource::Session;

sub put
{
	my ($self, $bytes) = @_;
	while (length $bytes)
	{
		my $sent = syswrite $self->{socket}, $bytes;
		POSIX::_exit(0) unless $sent;
		substr($bytes, 0, $sent) = '';
	}
	return;
}

sub get
{
	my ($self, $length) = @_;
	while (length $self->{in} < $length)
	{
		sysread($self->{socket}, $self->{in}, 65536, length $self->{in}) or POSIX::_exit(0);
	}
	return substr $self->{in}, 0, $length, '';
}

sub wait_for_end
{
	my ($self) = @_;
	1 while sysread $self->{socket}, my $bytes, 65536;
	POSIX::_exit(0);
}

# Sends the answer of a point, as the scenario has it.
sub answer
{
	my ($self, $point, @messages) = @_;
	my $times = ++$self->{times}{$point};
	my $change = $self->{scenario}{"$point $times"} // $self->{scenario}{$point};
	my $bytes = '';
	for my $message ($change ? $change->(@messages) : @messages)
	{
		if (ref $message) { $self->put($bytes); $bytes = ''; $message->($self); }
		else { $bytes .= $message; }
	}
	$self->put($bytes);
	return;
}

sub end_unit
{
	my ($self, @last) = @_;
	my $point = $self->{point} // 'describe';
	my @messages = (@{ $self->{unit} }, @last);
	($self->{unit}, $self->{point}) = ([], undef);
	$self->answer($point, @messages) if @messages;
	return;
}

# One message of the client. The answers to Parse, Bind, Describe and Execute go out with the next Sync or Flush.
sub take
{
	my ($self, $type, $body) = @_;
	my $unit = $self->{unit};
	if ($type eq 'Q')
	{
		my ($sql) = $body =~ /^([^\0]*)/;
		push @$unit, HostileSource::complete('BEGIN') if $sql =~ s/^(BEGIN[^;]*);\s*(?=\S)//;
		$self->{point} = 'begin' if @$unit;
		$self->execute($sql, 0, 1);
		$self->end_unit($self->status);
	}
	elsif ($type eq 'P')
	{
		(my $name, $self->{sql}) = split /\0/, $body, 3;
		push @$unit, HostileSource::message('1');
	}
	elsif ($type eq 'B')
	{
		$body =~ s/^[^\0]*\0[^\0]*\0//;
		$self->{format} = result_format($body);
		push @$unit, HostileSource::message('2');
	}
	elsif ($type eq 'D')
	{
		if ($body =~ /^S/)
		{
			my %parameters = map { $_ => 1 } $self->{sql} =~ /\$(\d)/g;
			push @$unit, HostileSource::message('t', pack 'n N*', scalar keys %parameters, (25) x keys %parameters),
			  HostileSource::description($self->columns(0));
		}
		else { push @$unit, $self->{sql} =~ /^(FETCH|SELECT|EXPLAIN)/ ? HostileSource::description($self->shown($self->{format}))
			  : HostileSource::message('n'); }
	}
	elsif ($type eq 'E') { $self->execute($self->{sql}, $self->{format}, 0); }
	elsif ($type eq 'C') { push @$unit, HostileSource::message('3'); }
	elsif ($type eq 'S') { $self->end_unit($self->status); }
	elsif ($type eq 'H') { $self->end_unit; }
	elsif ($type eq 'X') { POSIX::_exit(0); }
	return;
}

sub status { my ($self) = @_; return HostileSource::ready($self->{in_transaction} ? 'T' : 'I'); }

# The format of the result columns that Bind asks for.
sub result_format
{
	my ($body) = @_;
	my $at = 2 + 2 * unpack 'n', $body;
	my $values = unpack 'n', substr $body, $at;
	$at += 2;
	for (1 .. $values)
	{
		my $length = unpack 'l>', substr $body, $at;
		$at += 4 + ($length > 0 ? $length : 0);
	}
	my ($count, $format) = unpack 'nn', substr $body, $at;
	return $count ? $format : 0;
}

sub columns
{
	my ($self, $format) = @_;
	return map { [ @$_, $format ] } @{ $self->{scenario}{columns} // [ [ 'id', 23 ], [ 'note', 25 ] ] };
}

# The columns that a statement returns.
sub shown
{
	my ($self, $format) = @_;
	return [ 'QUERY PLAN', 114, $format ] if $self->{sql} =~ /^EXPLAIN/;
	return $self->{sql} =~ /pg_class/ ? ([ 'nspname', 19, $format ], [ 'relname', 19, $format ]) : $self->columns($format);
}

sub row_values
{
	my ($self, $id, $format) = @_;
	return $self->{scenario}{values} ? @{ $self->{scenario}{values} } : ($format ? pack('N', $id) : $id, "row $id");
}

# The answer to a statement; the simple protocol wants the row description, too.
sub execute
{
	my ($self, $sql, $format, $describe) = @_;
	my $unit = $self->{unit};
	if ($sql =~ /pg_cancel_backend/)
	{
		$self->{point} = 'cancel';
		push @$unit, HostileSource::description([ 'pg_cancel_backend', 16, 0 ]), HostileSource::row('t'), HostileSource::complete('SELECT 1');
	}
	elsif ($sql =~ /pg_backend_pid/)
	{
		# One column of the settings' query is called by what it is, the others are of no interest.
		my $more = () = $sql =~ /set_config\(/g;
		$self->{in_transaction} = 1;
		$self->{point} = 'begin';
		push @$unit, HostileSource::description(map { [ "column$_", 25, 0 ] } 1 .. 3 + $more) if $describe;
		push @$unit, HostileSource::row($self->{pid}, 'hostile', '0' x 16, ('x') x $more), HostileSource::complete('SELECT 1');
	}
	elsif ($sql =~ /^EXPLAIN/)
	{
		$self->{point} = 'explain';
		push @$unit, HostileSource::row(qq([\n  {\n    "Plan": {\n      "Plan Rows": $self->{rows}\n    }\n  }\n])), HostileSource::complete('EXPLAIN');
	}
	elsif ($sql =~ /^(FETCH)(?: FORWARD)? (\d+)|^(SELECT) id, note FROM/)
	{
		my ($command, $count) = ($1 // $3, $2 // $self->{rows});
		$self->{point} = lc $command;
		push @$unit, HostileSource::description($self->columns($format)) if $describe;
		my $last = $self->{place} + $count > $self->{rows} ? $self->{rows} : $self->{place} + $count;
		push @$unit, map { HostileSource::row($self->row_values($_, $format)) } $self->{place} + 1 .. $last;
		push @$unit, HostileSource::complete("$command " . ($last - $self->{place}));
		$self->{place} = $last if $command eq 'FETCH';
	}
	elsif ($sql =~ /^COPY/)
	{
		$self->{point} = 'copy';
		my @formats = map { 1 } $self->columns(1);
		push @$unit, HostileSource::message('H', pack 'Cn*', 1, scalar @formats, @formats);
		my @rows = map { HostileSource::tuple($self->row_values($_, 1)) } 1 .. $self->{rows};
		my $header = "PGCOPY\n\377\r\n\0" . pack 'NN', 0, 0;
		# As the server does it: the header comes with the first row.
		push @$unit, map { HostileSource::copy_data($_) } $header . (shift(@rows) // ''), @rows, pack('n', 65535);
		push @$unit, HostileSource::message('c'), HostileSource::complete("COPY $self->{rows}");
	}
	elsif ($sql =~ /pg_class/)
	{
		$self->{point} = 'lookup';
		push @$unit, HostileSource::row('public', 'rows'), HostileSource::complete('SELECT 1');
	}
	elsif ($sql =~ /^(DECLARE|COMMIT|BEGIN|CLOSE|SET|ROLLBACK|ABORT|DEALLOCATE|START TRANSACTION)/)
	{
		my $command = $1;
		$self->{point} = lc $command;
		$self->{place} = 0 if $command eq 'DECLARE';
		$self->{in_transaction} = $command =~ /BEGIN|START/ || $self->{in_transaction} && $command !~ /COMMIT|ROLLBACK|ABORT/;
		push @$unit, HostileSource::complete($command eq 'DECLARE' ? 'DECLARE CURSOR' : $command);
	}
	else
	{
		$self->{point} = 'other';
		push @$unit, HostileSource::error(C => '0A000', M => "no answer to: $sql");
	}
	return;
}

1;
