# What AWS would say, where the shape of it matters.

mock_data "aws_availability_zones" {
  defaults = { names = ["eu-central-1d", "eu-central-1a", "eu-central-1c", "eu-central-1b"] }
}
mock_data "aws_partition" {
  defaults = { partition = "aws" }
}
mock_data "aws_region" {
  defaults = { region = "eu-central-1" }
}
mock_data "aws_ssm_parameter" {
  defaults = { insecure_value = "ami-0123456789abcdef0" }
}
mock_resource "aws_db_instance" {
  defaults = {
    address = "unslow.abc.eu-central-1.rds.amazonaws.com"
    master_user_secret = [{
      secret_arn    = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-master"
      kms_key_id    = "arn:aws:kms:eu-central-1:123456789012:key/k"
      secret_status = "active"
    }]
  }
}
mock_resource "aws_elasticache_replication_group" {
  defaults = { primary_endpoint_address = "master.unslow.abc.euc1.cache.amazonaws.com" }
}
mock_resource "aws_secretsmanager_secret" {
  defaults = {
    id  = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:application"
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:application"
  }
}
mock_resource "aws_s3_bucket" {
  defaults = { id = "unslow-files", bucket = "unslow-files", arn = "arn:aws:s3:::unslow-files" }
}
mock_resource "aws_s3_object" {
  defaults = { version_id = "version-1" }
}
mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/role" }
}
mock_resource "aws_iam_instance_profile" {
  defaults = { arn = "arn:aws:iam::123456789012:instance-profile/profile" }
}
mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:group" }
}
mock_resource "aws_launch_template" {
  defaults = { id = "lt-0123456789abcdef0", latest_version = 7 }
}
mock_resource "aws_lb" {
  defaults = {
    arn      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/unslow/1"
    dns_name = "unslow-1.eu-central-1.elb.amazonaws.com"
    zone_id  = "Z215JYRZR1TBD5"
  }
}
mock_resource "aws_lb_target_group" {
  defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/unslow/1" }
}
mock_resource "aws_acm_certificate" {
  defaults = {
    arn = "arn:aws:acm:eu-central-1:123456789012:certificate/own"
    domain_validation_options = [{
      domain_name           = "slow.example.com"
      resource_record_name  = "_1.slow.example.com"
      resource_record_type  = "CNAME"
      resource_record_value = "_2.acm-validations.aws"
    }]
  }
}
mock_resource "aws_acm_certificate_validation" {
  defaults = { certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/own" }
}
