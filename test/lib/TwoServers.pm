# Two real servers for a test: a source that requires passwords, and a destination with the extension.
package TwoServers;

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sessions;
use Test::More;

use Exporter 'import';
our @EXPORT = (@Sessions::EXPORT, qw(one_line start_servers stay_in_the_day new_source start_source copy_sql by_batches define_job job_sql look_sql stored_job fails_with
  copies no_session_left wait_until on_both columns_as_text table_texts same_rows kills_were_ours));

# The password of the role etl_reader at the source. No message or log must contain it.
our $password = 'S3CRET-marker';

# start_servers(source => 'configuration lines', destination => '...', encoding => 'LATIN1' of the source,
# wal_segment_size => MB of the destination): both servers, with database postgres. The source has role etl_reader,
# which may read all tables of the owner. The destination has the extension, foreign server src and a user mapping for
# the superuser.
sub start_servers
{
	my %option = @_;
	my $source = start_source(config => $option{source}, encoding => $option{encoding});
	my $destination = PostgreSQL::Test::Cluster->new('destination');
	my @segment = ('--wal-segsize', $option{wal_segment_size} // 16);
	$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale', @segment ]);
	$destination->append_conf('postgresql.conf', $option{destination} // '');
	$destination->start;
	my $port = $source->port;
	$destination->safe_psql('postgres', <<~SQL);
		CREATE EXTENSION pg_copy_incremental;
		CREATE EXTENSION postgres_fdw;
		CREATE SERVER src FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'postgres');
		CREATE USER MAPPING FOR CURRENT_USER SERVER src OPTIONS (user 'etl_reader', password '$password');
		SQL
	return ($source, $destination);
}

# For what follows and writes of today or yesterday: waits for midnight, UTC, if it is less than three minutes away.
sub stay_in_the_day
{
	my $left = 86_400 - time % 86_400;
	sleep $left + 1 if $left < 180;
	return;
}

# A server that is not yet initialized, of the source's version: the installed one, or that in SOURCE_INSTALL_PATH (make
# check-versions).
sub new_source
{
	my ($name) = @_;
	my $other_version = $ENV{SOURCE_INSTALL_PATH};
	return PostgreSQL::Test::Cluster->new($name, $other_version ? (install_path => $other_version) : ());
}

# A server that listens on 127.0.0.1. All users need a password, except etl_trusted and users of the Unix socket.
sub start_source
{
	my %option = @_;
	my $source = new_source($option{name} // 'source');
	$source->init(extra => [ '--encoding', $option{encoding} // 'UTF8', '--no-locale' ]);
	$source->append_conf('postgresql.conf', <<~CONF . ($option{config} // ''));
		listen_addresses = '127.0.0.1'
		password_encryption = 'scram-sha-256'    # 13 would say md5
		CONF
	# The lines that initdb writes would allow all connections.
	unlink $source->data_dir . '/pg_hba.conf';
	$source->append_conf('pg_hba.conf', <<~HBA);
		local all         all                       trust
		local replication all                       trust
		host  all         etl_trusted  127.0.0.1/32 trust
		host  all         all          127.0.0.1/32 scram-sha-256
		HBA
	$source->start;
	$source->safe_psql('postgres', <<~SQL);
		CREATE ROLE etl_reader LOGIN PASSWORD '$password';
		CREATE ROLE etl_trusted LOGIN;
		SQL
	# 13 has no pg_read_all_data.
	$source->safe_psql('postgres', $source->pg_version >= 14
		? 'GRANT pg_read_all_data TO etl_reader, etl_trusted'
		: 'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO etl_reader, etl_trusted; ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO etl_reader, etl_trusted');
	return $source;
}

# The text of a call: copy_sql($query, $day, name => 'SQL of the value', ...); $day undef is NULL. By default the call
# loads a window again that was loaded before, because tests empty their tables with TRUNCATE.
sub copy_sql
{
	my ($query, $day, %argument) = @_;
	my $source = delete $argument{src_conninfo} // "'src'";
	my $batch = delete $argument{batch} // 2000;
	$argument{on_rerun} //= "'run'" unless exists $argument{mode};
	my $named = join '', map { ", $_ => $argument{$_}" } sort keys %argument;
	return sprintf('SELECT copy_incremental(%s, $query$%s$query$, %s, %s%s)',
		$source, $query, defined $day ? "'$day'" : 'NULL', $batch, $named);
}

# Converts a call by copy_sql() to one of copy_incremental_batches().
sub by_batches { my ($call) = @_; return $call =~ s/^SELECT copy_incremental\(/CALL copy_incremental_batches(/r; }

# The text that defines a job, or defines it again, and prints nothing. The arguments are those of copy_sql(), target as text;
# first_day and the others of copy_incremental_create_job() too.
sub define_job
{
	my ($name, $query, %argument) = @_;
	my $source = delete $argument{src_conninfo} // "'src'";
	%argument = (or_replace => 'true', %argument);
	my $named = join '', map { ", $_ => $argument{$_}" } sort keys %argument;
	return "DO \$define\$BEGIN PERFORM copy_incremental_create_job('$name', $source, \$query\$$query\$query\$$named); END\$define\$";
}

# The text that defines a job under a fresh name, whose first day is this one, and calls copy_incremental_$verb() of the job
# and the day.
my $fresh_jobs = 0;
sub job_sql
{
	my ($verb, $query, $day, %argument) = @_;
	my $name = 'job_' . ++$fresh_jobs;
	my $call = $verb eq 'catch_up' ? "CALL copy_incremental_catch_up('$name')"
	  : $verb eq 'backfill' ? "CALL copy_incremental_backfill('$name', '$day', '$day')"
	  : $verb eq 'describe' ? "SELECT * FROM copy_incremental_describe('$name')"
	  : $verb eq 'verify' ? "SELECT matches, source_rows, target_rows, missing, extra, changed FROM copy_incremental_verify('$name', '$day')"
	  : "SELECT * FROM copy_incremental_$verb('$name', '$day')";
	return define_job($name, $query, first_day => "'$day'", %argument) . "; $call";
}

# As job_sql() for a function that looks, but the definition is written into the table, so that nothing is checked: the job of a
# source and a target that have changed since. $day undef is a window that has every row. More arguments are those of
# define_job(), and: owner; before => SQL between the definition and the call; as => a query around the call, with %s.
sub look_sql
{
	my ($verb, $query, $day, %argument) = @_;
	my $name = 'look_' . ++$fresh_jobs;
	my ($before, $as) = map { delete $argument{$_} // '' } qw(before as);
	my $columns = $verb eq 'verify' ? 'matches, source_rows, target_rows, missing, extra, changed' : '*';
	my $call = "SELECT $columns FROM copy_incremental_$verb('$name'" . ($verb eq 'describe' ? ')' : ", '" . ($day // '2018-07-29') . "')");
	# A condition in the query would be executed here by verify.
	$argument{replace_where} //= "'true'" if !defined $day && $verb =~ /verify/ && $query !~ /\bWHERE\b/i;
	# With $1 and $2, braces are not doubled.
	$query =~ s/([{}])\1/$1/g unless defined $day;
	$query = "SELECT * FROM ($query) AS q" unless defined $day || $query =~ /^SELECT .* FROM [\w.]+( WHERE .*)?$/s;
	$query .= ($query =~ /^SELECT .* FROM [\w.]+ WHERE /s ? ' AND ' : ' WHERE ') . '$1::date < $2::date' unless defined $day;
	$argument{replace_where} = ($argument{replace_where} // "'true'") . q[ || ' AND $1::date < $2::date'] if !defined $day && ($argument{replace_where} || ($argument{mode} // '') =~ /replace/);
	return stored_job($name, $query, first_day => "'" . ($day // '2018-07-29') . "'", %argument) . '; ' . ($before ? "$before; " : '') . ($as ? sprintf($as, $call) : $call);
}

sub stored_job
{
	my ($name, $query, %argument) = @_;
	my ($from) = $query =~ /(?:\bFROM|TABLE) ([\w.]+)/i;
	my %column = (time_zone => "current_setting('TimeZone')", target => $from ? "'$from'" : 0, owner => 'current_user::regrole', src_conninfo => "'src'", %argument);
	my @columns = map { delete $column{$_} } qw(owner src_conninfo target first_day time_zone);
	$columns[0] = "($columns[0])::oid";
	$column{key_columns} = "($column{key_columns})::text[]" if $column{key_columns};
	my $options = join ', ', map { "'$_', $column{$_}" } sort keys %column;
	return "INSERT INTO pgci_jobs (job, owner, server, conninfo, query_template, target, target_name, first_day, window_size, lag, time_zone, source, options) "
	  . sprintf(q[SELECT '%s', %s, coalesce(s.oid, 0), CASE WHEN s.oid IS NULL THEN c END, $query$%s$query$, %s::regclass::oid, '', %s, '1 day', '0', %s, '', jsonb_strip_nulls(jsonb_build_object(%s)) ],
		$name, $columns[0], $query, $columns[2], @columns[ 3, 4 ], $options)
	  . "FROM (SELECT $columns[1]) AS a(c) LEFT JOIN pg_foreign_server AS s ON s.srvname = c ON CONFLICT DO NOTHING";
}

# Runs SQL that must fail with this SQLSTATE and a matching message. Returns the (verbose) output of psql.
sub fails_with
{
	my ($node, $sql, $sqlstate, $message, $name) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	ok($status != 0 && $err =~ /ERROR:  \Q$sqlstate\E: / && $err =~ $message, $name)
	  or diag("wanted $sqlstate and $message, got status $status: $err");
	return $err;
}

# Runs statements and returns their output, including errors, as one line. psql's verbosity is default or verbose.
sub one_line
{
	my ($node, $verbosity, @statements) = @_;
	my (undef, $out, $err) = $node->psql('postgres', join(';', @statements), extra_params => [ '-v', "VERBOSITY=$verbosity" ]);
	return join ' ', split /\n/, $out . $err =~ s/psql:<stdin>:\d+: |LOCATION:.*//gr;
}

# Runs the same SQL on each server.
sub on_both
{
	my ($sql, @nodes) = @_;
	$_->safe_psql('postgres', $sql) for @nodes;
	return;
}

# The columns that the last cursor or COPY requested as text from the source, sorted. Needs log_statement = 'all' there.
sub columns_as_text
{
	my ($source) = @_;
	my ($query, $is_text) = slurp_file($source->logfile) =~
	  /.*: (?:DECLARE copy_incremental NO SCROLL CURSOR FOR|COPY \()\s?([^\n]*(?:.*?TO STDOUT \(FORMAT (text))?)/s;
	my @columns;
	$query =~ s/^SELECT (?=q\.")//;
	while ($query =~ /\Gq\."((?:[^"]|"")+)"(::[\w.\[\]" ]+)?(?:, | FROM \()/g)
	{
		push @columns, $1 =~ s/""/"/gr if $is_text || ($2 // '') eq '::pg_catalog.text';
	}
	return sort @columns;
}

# A table as { column => JSON array of the texts of its values }, ordered by column id. The texts depend on settings,
# which are the same on both servers unless the test changes them.
sub table_texts
{
	my ($node, $table) = @_;
	my $columns = $node->safe_psql('postgres', <<~SQL);
		SELECT string_agg(format('(%L, t.%I::text)', attname, attname), ', ') FROM pg_attribute
		  WHERE attrelid = \$\$$table\$\$::regclass AND attnum > 0 AND NOT attisdropped
		SQL
	my $lines = $node->safe_psql('postgres', <<~SQL, extra_params => [ '-F', "\x1f" ]);
		SELECT c.name, json_agg(c.value ORDER BY t.id)
		  FROM $table AS t, LATERAL (VALUES $columns) AS c(name, value) GROUP BY c.name
		SQL
	return { map { split /\x1f/, $_, 2 } split /\n/, $lines };
}

# Tests that a table has the same columns and values on both servers, with one test for each column.
sub same_rows
{
	my ($source, $destination, $table, $name) = @_;
	my ($sent, $arrived) = (table_texts($source, $table), table_texts($destination, $table));
	is($arrived->{$_}, $sent->{$_}, "$name: $_") for sort keys %$sent;
	is(join(' ', sort keys %$arrived), join(' ', sort keys %$sent), "$name: columns");
	return;
}

# Runs a call that must return this number of rows. The result of $check must be this text.
sub copies
{
	my ($node, $sql, $rows, $check, $want, $name) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql);
	my $found = $status == 0 ? $node->safe_psql('postgres', $check) : $err;
	ok($status == 0 && $out eq $rows && $found eq $want, $name)
	  or diag("wanted $rows rows and: $want\ngot $out rows and: $found");
	return;
}

# Tests that the sessions of etl_reader at the source end. A closed session remains for a moment.
sub no_session_left
{
	my ($source, $name) = @_;
	return ok(wait_until($source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'etl_reader'"), $name);
}

# Polls a query until it returns this value. Returns false after three minutes. If a starting server refuses psql, psql
# may exit before it has read the query, which IPC::Run reports as an error.
sub wait_until
{
	my ($node, $sql, $value) = @_;
	my $found;
	until (eval { $found = $node->poll_query_until('postgres', $sql, $value // 't'); 1 })
	{
		die $@ unless $@ =~ /Broken pipe/;
	}
	return $found;
}

# For a test that has killed server processes with signal 9: the server, which must be stopped, lost this number of
# processes and no other. Then adds to its log who killed them, because any other signal in a log is a crash.
sub kills_were_ours
{
	my ($node, $kills, $name) = @_;
	my $log = slurp_file($node->logfile);
	my $all = () = $log =~ /was terminated by signal/g;
	my $ours = $log =~ s/was terminated by signal 9/was killed by the test/g;
	is("$all $ours", "$kills $kills", $name);
	open(my $out, '>', $node->logfile) or die $!;
	print $out $log;
	close $out or die $!;
	return;
}

1;
