# A session of HostileSource.pm: its answers to a run, unless the scenario replaces them.
package HostileSession;

use strict;
use warnings;

use parent 'HostileConnection';
use POSIX ();
use ProtocolMessages;
use Socket qw(IPPROTO_TCP TCP_NODELAY);

# Serves a connection. $file exists until the connection ends.
sub serve
{
	my ($socket, $scenarios, $file) = @_;
	open(my $mark, '>', $file) or die $!;
	# Like PostgreSQL: output is lost if a process ends with unread input.
	setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);
	my $self = bless { socket => $socket, in => '', unit => [], statements => [], times => {}, place => 0, pid => $$ }, __PACKAGE__;
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

sub get
{
	my ($self, $length) = @_;
	while (length $self->{in} < $length)
	{
		sysread($self->{socket}, $self->{in}, 65536, length $self->{in}) or POSIX::_exit(0);
	}
	return substr $self->{in}, 0, $length, '';
}

# Sends the answer for a point, as changed by the scenario.
sub answer
{
	my ($self, $point, @messages) = @_;
	$self->put_all($self->changed($point, @messages));
	return;
}

sub changed
{
	my ($self, $point, @messages) = @_;
	my $times = ++$self->{times}{$point};
	my $change = $self->{scenario}{"$point $times"} // $self->{scenario}{$point};
	return $change ? $change->(@messages) : @messages;
}

# The end of a statement that has no Sync of its own.
sub end_statement
{
	my ($self) = @_;
	return unless defined $self->{point};
	push @{ $self->{statements} }, [ $self->{point}, @{ $self->{unit} } ];
	($self->{unit}, $self->{point}) = ([], undef);
	return;
}

# Sends the answers of all statements before a Sync or Flush. A change gets the answer of its statement with the
# ReadyForQuery, which is sent only once. After an error, the other statements are not executed.
sub end_unit
{
	my ($self, @last) = @_;
	my @statements = (splice(@{ $self->{statements} }), [ $self->{point} // 'describe', @{ $self->{unit} } ]);
	($self->{unit}, $self->{point}) = ([], undef);
	while (my $statement = shift @statements)
	{
		my ($point, @messages) = @$statement;
		return unless @messages || @last;
		my @answer = $self->changed($point, @messages, @last);
		if (@statements && @last)
		{
			my $has_failed = grep { !ref && /^E/ } @answer;
			pop @answer if !$has_failed && @answer && !ref $answer[-1] && $answer[-1] =~ /^Z/;
			@statements = () if $has_failed;
		}
		$self->put_all(@answer);
	}
	return;
}

# Handles one message of the client. The answers to Parse, Bind, Describe and Execute are sent at the next Sync or
# Flush.
sub take
{
	my ($self, $type, $body) = @_;
	$self->end_statement if $type =~ /^[PB]$/;
	my $unit = $self->{unit};
	if ($type eq 'Q')
	{
		my ($sql) = $body =~ /^([^\0]*)/;
		$self->execute($sql, 0, 1);
		$self->end_unit($self->status);
	}
	elsif ($type eq 'P')
	{
		(my $name, $self->{sql}) = split /\0/, $body, 3;
		push @$unit, message('1');
	}
	elsif ($type eq 'B')
	{
		$body =~ s/^[^\0]*\0[^\0]*\0//;
		$self->{format} = result_format($body);
		push @$unit, message('2');
	}
	elsif ($type eq 'D')
	{
		if ($body =~ /^S/)
		{
			my %parameters = map { $_ => 1 } $self->{sql} =~ /\$(\d)/g;
			push @$unit, message('t', pack 'n N*', scalar keys %parameters, (1184) x keys %parameters),
			  description($self->columns(0));
		}
		else { push @$unit, $self->{sql} =~ /^(FETCH|SELECT|EXPLAIN)/ ? description($self->shown($self->{format}))
			  : message('n'); }
	}
	elsif ($type eq 'E') { $self->execute($self->{sql}, $self->{format}, 0); }
	elsif ($type eq 'C') { push @$unit, message('3'); }
	elsif ($type eq 'S') { $self->end_unit($self->status); }
	elsif ($type eq 'H') { $self->end_unit; }
	elsif ($type eq 'X') { POSIX::_exit(0); }
	return;
}

sub status { my ($self) = @_; return ready($self->{in_transaction} ? 'T' : 'I'); }

# The result formats in Bind.
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

# The columns of a statement's result.
sub shown
{
	my ($self, $format) = @_;
	return [ 'QUERY PLAN', 114, $format ] if $self->{sql} =~ /^EXPLAIN/;
	return ([ 'reason', 25, $format ], [ 'hidden', 25, $format ], [ 'foreign table', 25, $format ]) if $self->{sql} =~ /pg_prepared_xacts/;
	return [ 'format', 25, $format ] if $self->{sql} =~ /to_regclass/;
	return map { [ "column$_", 25, $format ] } 1 .. 3 + number_of_settings($self->{sql}) if $self->{sql} =~ /pg_backend_pid/;
	return $self->{sql} =~ /pg_class/ ? ([ 'nspname', 19, $format ], [ 'relname', 19, $format ]) : $self->columns($format);
}

sub number_of_settings { my ($sql) = @_; return scalar(() = $sql =~ /set_config\(/g); }

sub row_values
{
	my ($self, $id, $format) = @_;
	return $self->{scenario}{values} ? @{ $self->{scenario}{values} } : ($format ? pack('N', $id) : $id, "row $id");
}

# The answer to a statement. The simple protocol also needs the row description.
sub execute
{
	my ($self, $sql, $format, $describe) = @_;
	my $unit = $self->{unit};
	if ($sql =~ /pg_cancel_backend/)
	{
		$self->{point} = 'cancel';
		push @$unit, description([ 'pg_cancel_backend', 16, 0 ]), row('t'), complete('SELECT 1');
	}
	elsif ($sql =~ /pg_prepared_xacts/)
	{
		$self->{point} = 'settled';
		push @$unit, row(undef, undef, undef), complete('SELECT 1');
	}
	elsif ($sql =~ /pg_backend_pid/)
	{
		$self->{point} = 'settings';
		push @$unit, row($self->{pid}, 'hostile', '0' x 16, ('x') x number_of_settings($sql)), complete('SELECT 1');
	}
	elsif ($sql =~ /^EXPLAIN/)
	{
		$self->{point} = 'explain';
		push @$unit, row(qq([\n  {\n    "Plan": {\n      "Plan Rows": $self->{rows}\n    }\n  }\n])), complete('EXPLAIN');
	}
	elsif ($sql =~ /^(FETCH)(?: FORWARD)? (\d+)|^(SELECT) id, note FROM/)
	{
		my ($command, $count) = ($1 // $3, $2 // $self->{rows});
		$self->{point} = lc $command;
		push @$unit, description($self->columns($format)) if $describe;
		my $last = $self->{place} + $count > $self->{rows} ? $self->{rows} : $self->{place} + $count;
		push @$unit, map { row($self->row_values($_, $format)) } $self->{place} + 1 .. $last;
		push @$unit, complete("$command " . ($last - $self->{place}));
		$self->{place} = $last if $command eq 'FETCH';
	}
	elsif ($sql =~ /^COPY/)
	{
		$self->{point} = 'copy';
		my @formats = map { 1 } $self->columns(1);
		push @$unit, message('H', pack 'Cn*', 1, scalar @formats, @formats);
		my @rows = map { tuple($self->row_values($_, 1)) } 1 .. $self->{rows};
		my $header = "PGCOPY\n\377\r\n\0" . pack 'NN', 0, 0;
		# Like PostgreSQL: the header is sent with the first row.
		push @$unit, map { copy_data($_) } $header . (shift(@rows) // ''), @rows, pack('n', 65535);
		push @$unit, message('c'), complete("COPY $self->{rows}");
	}
	elsif ($sql =~ /to_regclass/)
	{
		$self->{point} = 'tables';
		push @$unit, row('public.rows'), complete('SELECT 1');
	}
	elsif ($sql =~ /pg_class/)
	{
		$self->{point} = 'lookup';
		push @$unit, row('public', 'rows'), complete('SELECT 1');
	}
	elsif ($sql =~ /^(DECLARE|COMMIT|BEGIN|CLOSE|SET|ROLLBACK|ABORT|DEALLOCATE|START TRANSACTION)/)
	{
		my $command = $1;
		$self->{point} = lc $command;
		$self->{place} = 0 if $command eq 'DECLARE';
		$self->{in_transaction} = $command =~ /BEGIN|START/ || $self->{in_transaction} && $command !~ /COMMIT|ROLLBACK|ABORT/;
		push @$unit, complete($command eq 'DECLARE' ? 'DECLARE CURSOR' : $command);
	}
	else
	{
		$self->{point} = 'other';
		push @$unit, error(C => '0A000', M => "no answer to: $sql");
	}
	return;
}

1;
