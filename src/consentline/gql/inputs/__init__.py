"""What mutations take, and what it becomes: commands of the use cases, with every key checked."""
