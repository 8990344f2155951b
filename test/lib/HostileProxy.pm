# A proxy for a real source that replaces the answer to one statement of a connection. The application_name of the
# connection selects the attack. With any other name, the proxy changes nothing.
#
# An attack is [kind, nth, answer]: the answer to the nth statement of that kind is what answer->(messages of the right
# answer) returns, with the elements that HostileSource.pm describes. The source executes the statement nevertheless, so
# that all other answers are right.
#
# For each statement the proxy writes a line "name<TAB>kind" to the file that seen() reads, with "<TAB>attacked" after
# the attacked one.
package HostileProxy;

use strict;
use warnings;

use File::Temp;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Utils;
use Socket qw(IPPROTO_TCP TCP_NODELAY);

use parent 'ForkingServer';
use Exporter 'import';
our @EXPORT = qw(start_hostile_proxy);

# Starts the proxy for a port of 127.0.0.1 with these attacks (name => attack). It listens until the test ends.
sub start_hostile_proxy
{
	my ($source_port, $attacks) = @_;
	my $file = File::Temp->new;
	my $self = __PACKAGE__->new(sub { serve($_[0], $source_port, $attacks, "$file"); });
	$self->{file} = $file;
	return $self;
}

sub conninfo
{
	my ($self, $name) = @_;
	return "host=127.0.0.1 port=$self->{port} user=etl_trusted dbname=postgres sslmode=disable application_name='$name'";
}

# The statements since the last call.
sub seen
{
	my ($self) = @_;
	my @lines = map { [ split /\t/ ] } split /\n/, slurp_file($self->{file}, $self->{read} // 0);
	$self->{read} = -s $self->{file};
	return @lines;
}

# The kind of a statement, by text that only this kind contains.
my @kinds = (
	[ qr/^BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY$/, 'begin' ],
	[ qr/^SELECT pg_catalog\.pg_backend_pid\(\), [^;]+$/, 'settings' ],
	[ qr/^DECLARE copy_incremental /, 'declare' ],
	[ qr/^FETCH FORWARD \d+ FROM copy_incremental$/, 'fetch' ],
	[ qr/^COPY \(.*\) TO STDOUT /s, 'copy' ],
	[ qr/^COMMIT$/, 'commit' ],
	[ qr/^EXPLAIN \(FORMAT TEXT\) /, 'plan as text' ],
	[ qr/^EXPLAIN \(VERBOSE, FORMAT JSON\) /, 'plan as JSON' ],
	[ qr/^EXPLAIN \(FORMAT JSON\) /, 'estimate as JSON' ],
	[ qr/^\s*SELECT CASE\s+WHEN .*pg_prepared_xacts/s, 'settled' ],
	[ qr/^SELECT n\.nspname, c\.relname FROM pg_catalog\.pg_class/, 'table name' ],
	[ qr/^SELECT DISTINCT pg_catalog\.format\(/, 'tables of the query' ],
	[ qr/^SELECT pg_catalog\.format_type/, 'type names' ],
	[ qr/^SELECT c\.reltuples/, 'size of a table' ],
	[ qr/^SELECT a\.attname, a\.atttypid, CASE WHEN t\.typcategory/, 'window column' ],
	[ qr/^SELECT CASE WHEN pg_catalog\.pg_is_in_recovery\(\) THEN 1/, 'standby' ],
	[ qr/^WITH RECURSIVE tables\(oid\)/, 'sequence of a column' ],
	[ qr/^SELECT pg_catalog\.min\(q\./, 'highest id' ],
	[ qr/^SELECT pg_catalog\.string_agg\(id, ' '\) FROM \(SELECT id FROM/, 'open transactions' ],
	[ qr/^SELECT pg_catalog\.count\(\*\), coalesce\(pg_catalog\.sum\(h\), 0\) FROM/, 'checksum' ],
	[ qr/^SELECT \(k OPERATOR\(pg_catalog\.&\) \d+\) AS b, pg_catalog\.count\(\*\), pg_catalog\.sum\(h\) FROM/, 'buckets' ],
	[ qr/^SELECT k, h, '\{'/, 'rows by key' ],
	[ qr/^SELECT pg_catalog\.pg_cancel_backend\(\d+\)$/, 'cancel' ]);

sub kind_of
{
	my ($sql) = @_;
	for my $kind (@kinds) { return $kind->[1] if $sql =~ $kind->[0]; }
	return 'unknown: ' . $sql =~ s/\s+/ /gr;
}

sub serve
{
	my ($client, $source_port, $attacks, $file) = @_;
	$SIG{PIPE} = 'IGNORE';
	my $source = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $source_port) or POSIX::_exit(0);
	setsockopt($_, IPPROTO_TCP, TCP_NODELAY, 1) for $client, $source;
	sysread($client, my $startup, 65536) or POSIX::_exit(0);
	my ($name) = $startup =~ /application_name\0([^\0]*)/;
	ForkingServer::put($source, $startup);
	open(my $seen, '>>', $file) or POSIX::_exit(1);
	my $self = bless {
		socket => $client, name => $name // '', attack => $attacks->{ $name // '' }, seen => $seen,
		asked => '', answered => '', unit => {}, units => [], messages => [], times => {}
	}, __PACKAGE__ . '::Connection';
	my $select = IO::Select->new($client, $source);
	while (1)
	{
		for my $socket ($select->can_read)
		{
			my $is_client = $socket == $client;
			sysread($socket, my $bytes, 65536) or POSIX::_exit(0);
			$is_client ? $self->take_question($bytes) : $self->take_answer($bytes);
			ForkingServer::put($source, $bytes) if $is_client;
		}
	}
}

package HostileProxy::Connection;

use parent 'HostileConnection';

# The messages of the client. The answers of all statements before a Query or Sync end with one ReadyForQuery.
sub take_question
{
	my ($self, $bytes) = @_;
	$self->{asked} .= $bytes;
	while (length $self->{asked} >= 5 && length $self->{asked} > unpack 'x N', $self->{asked})
	{
		my ($type, $body) = unpack 'a x4 a*', substr $self->{asked}, 0, 1 + unpack('x N', $self->{asked}), '';
		my $unit = $self->{unit};
		if ($type eq 'P') { (undef, $self->{sql}) = split /\0/, $body, 3; $unit->{kind} = 'prepare'; }
		elsif ($type eq 'D' && $body =~ /^S/ && !$unit->{kind}) { $unit->{kind} = 'describe'; }
		elsif ($type eq 'E') { push @{ $unit->{kinds} }, HostileProxy::kind_of($self->{sql}); }
		elsif ($type eq 'Q') { $unit->{kind} = HostileProxy::kind_of($body =~ s/\0.*//sr); }
		elsif ($type !~ /^[BDSHX]$/) { $unit->{kind} = "unknown: message $type"; }
		next unless $type =~ /^[QS]$/;
		push @{ $self->{units} }, $unit->{kinds} // [ $unit->{kind} // 'unknown: nothing before Sync' ];
		$self->{unit} = {};
	}
	return;
}

sub take_answer
{
	my ($self, $bytes) = @_;
	$self->{answered} .= $bytes;
	while (length $self->{answered} >= 5 && length $self->{answered} > unpack 'x N', $self->{answered})
	{
		my $message = substr $self->{answered}, 0, 1 + unpack('x N', $self->{answered}), '';
		push @{ $self->{messages} }, $message;
		$self->answer if $message =~ /^Z/;
	}
	return;
}

# All messages of an answer have arrived. The first answer is that of the startup.
sub answer
{
	my ($self) = @_;
	my @messages = splice @{ $self->{messages} };
	return $self->put_all(@messages) if !$self->{is_started}++;
	my @kinds = @{ shift @{ $self->{units} } };
	while (defined(my $kind = shift @kinds))
	{
		# After an error, the source does not execute the other statements.
		my ($end) = grep { $messages[$_] =~ /^[CE]/ } 0 .. $#messages;
		my $is_last = !@kinds || $messages[$end] =~ /^E/;
		my @answer = splice @messages, 0, $is_last ? @messages : $end + 1;
		my $attack = $self->{attack};
		my $is_attacked = $attack && $kind =~ m{^$attack->[0]$} && ++$self->{times}{$kind} == $attack->[1];
		syswrite $self->{seen}, join("\t", $self->{name}, $kind, $is_attacked ? 'attacked' : ()) . "\n";
		if ($is_attacked)
		{
			@answer = $attack->[2]->(@answer, $is_last ? () : $messages[-1]);
			$is_last ||= grep({ !ref && /^E/ } @answer) || !grep { ref || !/^[SZ]/ } @answer;
			pop @answer if !$is_last && @answer && !ref $answer[-1] && $answer[-1] =~ /^Z/;
		}
		$self->put_all(@answer);
		last if $is_last;
	}
	return;
}

1;
