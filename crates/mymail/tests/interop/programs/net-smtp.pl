# Net::SMTP: starttls or implicit, the mechanism (Authen::SASL). Line ends and dots are its own work.
use strict;
use warnings;
use Authen::SASL qw(Perl);
use Net::SMTP;

my ($tls, $mechanism) = @ARGV;
my %tls = (SSL_ca_file => $ENV{CA}, SSL_verify_mode => 1, SSL_verifycn_scheme => 'smtp', SSL_verifycn_name => $ENV{HOST});
my $smtp = Net::SMTP->new(
    $ENV{HOST}, Timeout => 60, Debug => 1, Hello => 'client.example',
    $tls eq 'implicit' ? (Port => $ENV{SMTPS}, SSL => 1, %tls) : (Port => $ENV{SMTP}),
) or die "no connection: $@";
sub must { $_[0] or die 'refused: ', $smtp->code, ' ', $smtp->message }
must $smtp->starttls(%tls) if $tls eq 'starttls';
must $smtp->auth(Authen::SASL->new(
    mechanism => $mechanism,
    callback => { user => $ENV{LOGIN}, authname => '', pass => $ENV{PASSWORD} },
));
must $smtp->mail($ENV{ADDRESS}, Bits => 8);
must $smtp->recipient($ENV{TO});
must $smtp->data;
open my $message, '<:raw', $ENV{MESSAGE_LF} or die $!;
must $smtp->datasend($_) while <$message>;
must $smtp->dataend;
must $smtp->quit;
