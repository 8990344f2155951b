# Unexpected answers, made from the right one: functions for the attacks of HostileProxy.pm.
package HostileAnswers;

use strict;
use warnings;

use POSIX ();
use ProtocolMessages;

use Exporter 'import';
our @EXPORT = qw(hostile_answers);

# The parts of an answer: the messages before its columns, its columns [name, type, format] or undef, its rows (DataRow
# messages), its command tag, and its end.
sub parts
{
	my (@messages) = @_;
	my ($first) = grep { $messages[$_] =~ /^[TnDHCdcEZ]/ } 0 .. $#messages;
	my %part = (head => [ @messages[ 0 .. $first - 1 ] ], tag => 'SELECT', end => [ grep { /^[SZ]/ } @messages[ $first .. $#messages ] ]);
	for my $message (@messages[ $first .. $#messages ])
	{
		$part{columns} = columns($message) if $message =~ /^T/;
		push @{ $part{rows} }, $message if $message =~ /^D/;
		$part{tag} = $1 if $message =~ /^C....(\w+)/s;
	}
	$part{is_description} = grep { /^t/ } @messages;    # the answer to Describe
	$part{count} = @{ $part{rows} // [] } || 1;
	return \%part;
}

sub columns
{
	my ($description) = @_;
	my ($count, $rest) = unpack 'x5 n a*', $description;
	my @columns;
	for (1 .. $count)
	{
		my ($name, undef, undef, $type, undef, undef, $format, $more) = unpack 'Z* N n N n N n a*', $rest;
		push @columns, [ $name, $type, $format ];
		$rest = $more;
	}
	return \@columns;
}

# A result with these columns and this number of rows with these values. An answer to Describe has only the columns.
sub result
{
	my ($part, $columns, $count, @values) = @_;
	return (@{ $part->{head} }, description(@$columns), $part->{is_description} ? () : ((row(@values)) x $count, complete("$part->{tag} $count")), @{ $part->{end} });
}

# The right columns, each with this value; in a description the value is their name.
sub with_value
{
	my ($value) = @_;
	return sub {
		my ($part) = @_;
		my @columns = @{ $part->{columns} // [ [ 'x', 25, 0 ] ] };
		@columns = map { [ $value // '', @$_[ 1, 2 ] ] } @columns if $part->{is_description};
		return result($part, \@columns, $part->{count}, ($value) x @columns);
	};
}

# Sends a message this number of times, until the connection ends.
sub many_times
{
	my ($message, $times) = @_;
	my $a_block = 1 + int(65536 / length $message);
	my $block = $message x $a_block;
	return sub { my ($session) = @_; for (my $i = 0; $i < $times; $i += $a_block) { $session->put($block); } };
}

# Sends a message of this type and size in MB that begins with these bytes.
sub long_message
{
	my ($type, $megabytes, $begin, $end) = @_;
	my $head = $type . pack('N', 4 + length($begin) + length($end) + $megabytes * 1_000_000) . $begin;
	return sub { my ($session) = @_; $session->put($head); $session->put('x' x 1_000_000) for 1 .. $megabytes; $session->put($end); };
}

my %answers = (
	'nothing' => sub { return @{ $_[0]{end} } },
	'no columns' => sub { return result($_[0], [], 1) },
	'one column' => sub { return result($_[0], [ $_[0]{columns} ? $_[0]{columns}[0] : [ 'x', 25, 0 ] ], $_[0]{count}, 'x') },
	'1,600 columns' => sub { my ($part) = @_; return result($part, [ map { [ "c$_", 25, 0 ] } 1 .. 1600 ], $part->{count}, ('x') x 1600) },
	'NULLs' => with_value(undef),
	'empty texts' => with_value(''),
	'a number of 20 digits' => with_value('99999999999999999999'),
	'a negative number' => with_value('-9223372036854775807'),
	'no row' => sub {
		my ($part) = @_;
		return (@{ $part->{head} }, message('n'), @{ $part->{end} }) if $part->{is_description};
		return result($part, $part->{columns} // [ [ 'x', 25, 0 ] ], 0);
	},
	'wrong formats' => sub {
		my ($part) = @_;
		my @columns = map { [ $_->[0], $_->[1], 1 - $_->[2] ] } @{ $part->{columns} // [ [ 'x', 25, 0 ] ] };
		return result($part, \@columns, $part->{count}, ("\0\1\377\376") x @columns);
	},
	'a million rows' => sub {
		my ($part) = @_;
		my $row = $part->{rows} ? $part->{rows}[0] : row(('x') x @{ $part->{columns} // ['x'] });
		return (@{ $part->{head} }, description(@{ $part->{columns} // [ [ 'x', 25, 0 ] ] }), many_times($row, 1_050_000),
			complete("$part->{tag} 1050000"), @{ $part->{end} });
	},
	'a cell of 100 MB' => sub {
		my ($part) = @_;
		my @columns = @{ $part->{columns} // [ [ 'x', 25, 0 ] ] };
		my $rest = description(@columns) =~ s/^.{5}//sr;
		return (@{ $part->{head} }, long_message('T', 100, substr($rest, 0, 2), substr $rest, 2), @{ $part->{end} }) if $part->{is_description};
		return (@{ $part->{head} }, description(@columns), long_message('D', 100, pack('n N', scalar @columns, 100_000_000), pack('l>', -1) x $#columns),
			complete("$part->{tag} 1"), @{ $part->{end} });
	},
	'an error without SQLSTATE' => sub { return (@{ $_[0]{head} }, message('E', "SERROR\0Ma failure\0\0"), $_[0]{end}[-1]) },
	'COPY' => sub { return (@{ $_[0]{head} }, message('H', pack 'Cn', 0, 0), copy_data("x\n"), message('c'), complete('COPY 1'), $_[0]{end}[-1]) },
	'half of it' => sub { my (undef, @messages) = @_; my $bytes = join '', @messages; return (substr($bytes, 0, length($bytes) / 2), hang_up()) },
	'a flood of notices' => sub { my (undef, @messages) = @_; return (many_times(notice(M => 'noise ' x 100), 10_000), @messages) },
	'silence' => sub { return silence() });

# name => answer
sub hostile_answers
{
	return map { my $answer = $answers{$_}; $_ => sub { return $answer->(parts(@_), @_) } } keys %answers;
}

1;
